#include <pthread.h>
static pthread_barrier_t barrier;
static void* block(void* unused) {
    pthread_barrier_wait(&barrier);
    return unused;
}
int zcbarrier_start(void) {
    pthread_barrier_init(&barrier, 0, 2);
    pthread_t thread;
    return pthread_create(&thread, 0, block, 0);
}
int zcbarrier_work(int n) { return n + 1; }
