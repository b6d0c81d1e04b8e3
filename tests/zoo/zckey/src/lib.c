#include <pthread.h>
#include <stdlib.h>
static pthread_key_t key;
static __thread int mine;
static void destroy(void* block) {
    *(int*)block = -1;
    free(block);
}
int zckey_start(void) { return pthread_key_create(&key, destroy); }
int zckey_work(int n) {
    int* block = pthread_getspecific(key);
    if (!block) {
        block = calloc(1, sizeof *block);
        pthread_setspecific(key, block);
    }
    mine++;
    return ++*block == mine ? n + 1 : 0;
}
