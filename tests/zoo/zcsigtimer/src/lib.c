#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
static timer_t timer;
static atomic_int ticks;
static void on_tick(int signal) { ticks += signal == SIGUSR2; }
int zcsigtimer_start(void) {
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    if (signal(SIGUSR2, on_tick) == SIG_ERR || timer_create(CLOCK_MONOTONIC, &event, &timer)) return 1;
    if (timer_settime(timer, 0, &every, 0)) return 1;
    for (int i = 0; i < 10000 && ticks == 0; i++) usleep(1000);
    return ticks == 0;
}
int zcsigtimer_work(int n) { return ticks > 0 ? n + 1 : 0; }
