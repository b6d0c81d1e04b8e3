#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>
static atomic_int before, after, calls;
static void prepare(void) { before++; }
static void parent(void) { after++; }
static void child(void) { after++; }
int zcatfork_start(void) { return pthread_atfork(prepare, parent, child); }
int zcatfork_work(int n) {
    if (calls++ % 50) return n + 1;
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) _exit(before > 0 && after > 0 ? 0 : 1);
    waitpid(pid, &status, 0);
    return status == 0 ? n + 1 : 0;
}
