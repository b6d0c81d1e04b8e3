#include <signal.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>
static atomic_int ticks;
static void tick(union sigval value) { ticks += value.sival_int; }
int zctimer_start(void) {
    timer_t timer;
    struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_notify_function = tick, .sigev_value.sival_int = 1};
    struct itimerspec every = {{0, 2000000}, {0, 2000000}};
    if (timer_create(CLOCK_MONOTONIC, &event, &timer) || timer_settime(timer, 0, &every, 0)) return 1;
    for (int i = 0; i < 10000 && ticks == 0; i++) usleep(1000);
    return ticks == 0;
}
int zctimer_work(int n) { return ticks > 0 ? n + 1 : 0; }
