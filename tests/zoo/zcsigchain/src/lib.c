#include <signal.h>
#include <stdatomic.h>
static struct sigaction old;
static atomic_int seen;
static void on_signal(int signal, siginfo_t* info, void* context) {
    seen++;
    if (old.sa_flags & SA_SIGINFO) {
        if (old.sa_sigaction) old.sa_sigaction(signal, info, context);
    } else if (old.sa_handler != SIG_DFL && old.sa_handler != SIG_IGN) {
        old.sa_handler(signal);
    }
}
int zcsigchain_start(void) {
    struct sigaction mine = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
    sigemptyset(&mine.sa_mask);
    return sigaction(SIGUSR1, &mine, &old) || raise(SIGUSR1);
}
int zcsigchain_work(int n) { return seen > 0 ? n + 1 : 0; }
