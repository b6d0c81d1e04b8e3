#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <unistd.h>
static atomic_int alarms;
static void on_alarm(int signal) { alarms += signal == SIGALRM; }
int zcitimer_start(void) {
    struct itimerval every = {{0, 2000}, {0, 2000}};
    if (signal(SIGALRM, on_alarm) == SIG_ERR || setitimer(ITIMER_REAL, &every, 0)) return 1;
    for (int i = 0; i < 10000 && alarms == 0; i++) usleep(1000);
    return alarms == 0;
}
int zcitimer_work(int n) { return alarms > 0 ? n + 1 : 0; }
