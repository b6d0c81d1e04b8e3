#include <netinet/in.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
static sem_t never;
static void* in_accept(void* listener) { accept((int)(long)listener, 0, 0); return 0; }
static void* in_recv(void* socket) { char byte; recv((int)(long)socket, &byte, 1, 0); return 0; }
static void* in_epoll(void* file) { struct epoll_event event; epoll_wait((int)(long)file, &event, 1, -1); return 0; }
static void* in_sem(void* unused) { sem_wait(&never); return unused; }
static void* in_read(void* pipe) { char byte; return read((int)(long)pipe, &byte, 1) > 0 ? pipe : 0; }
int zcblocked_start(void) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), pair[2], ends[2];
    struct sockaddr_in any = {.sin_family = AF_INET};
    if (bind(listener, (struct sockaddr*)&any, sizeof any) || listen(listener, 1) || sem_init(&never, 0, 0)) return 1;
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) || pipe(ends)) return 1;
    pthread_t t;
    return pthread_create(&t, 0, in_accept, (void*)(long)listener) || pthread_create(&t, 0, in_recv, (void*)(long)pair[0]) ||
           pthread_create(&t, 0, in_epoll, (void*)(long)epoll_create1(0)) || pthread_create(&t, 0, in_sem, 0) ||
           pthread_create(&t, 0, in_read, (void*)(long)ends[0]);
}
int zcblocked_work(int n) { return n + 1; }
