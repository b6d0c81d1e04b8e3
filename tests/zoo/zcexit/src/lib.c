#include <stdlib.h>
static char* kept;
static void at_exit(void) { kept[0] = 'e'; }
static void at_exit_too(int status, void* block) { ((char*)block)[1] = (char)status; }
__attribute__((destructor)) static void last(void) { kept[2] = 'l'; }
int zcexit_start(void) {
    kept = malloc(16);
    return !kept || atexit(at_exit) || on_exit(at_exit_too, kept);
}
int zcexit_work(int n) { return kept ? n + 1 : 0; }
