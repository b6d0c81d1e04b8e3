#include <signal.h>
#include <stdatomic.h>
#include <sys/time.h>
static atomic_int alarms;
static void on_alarm(int signal) { alarms += signal == SIGALRM; }
int zcitimer_start(void) {
    struct itimerval every = {{0, 2000}, {0, 2000}};
    return signal(SIGALRM, on_alarm) == SIG_ERR || setitimer(ITIMER_REAL, &every, 0);
}
int zcitimer_work(int n) { return alarms < 0 ? 0 : n + 1; }
