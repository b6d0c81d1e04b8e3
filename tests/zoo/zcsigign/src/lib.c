#include <signal.h>
int zcsigign_start(void) {
    return signal(SIGUSR2, SIG_IGN) == SIG_ERR || signal(SIGPIPE, SIG_IGN) == SIG_ERR;
}
int zcsigign_work(int n) { return raise(SIGPIPE) ? 0 : n + 1; }
