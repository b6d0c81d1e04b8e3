#include <pthread.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static void* block(void* unused) {
    pthread_mutex_lock(&lock);
    return unused;
}
int zcmutex_start(void) {
    pthread_mutex_lock(&lock);
    pthread_t thread;
    return pthread_create(&thread, 0, block, 0);
}
int zcmutex_work(int n) { return n + 1; }
