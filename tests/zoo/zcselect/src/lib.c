#include <pthread.h>
#include <sys/select.h>
static void* block(void* unused) {
    select(0, 0, 0, 0, 0);
    return unused;
}
int zcselect_start(void) {
    pthread_t thread;
    return pthread_create(&thread, 0, block, 0);
}
int zcselect_work(int n) { return n + 1; }
