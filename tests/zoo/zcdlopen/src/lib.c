#include <dlfcn.h>
static double (*cosine)(double);
int zcdlopen_start(void) {
    void* library = dlopen("libm.so.6", RTLD_NOW);
    if (library) cosine = (double (*)(double))dlsym(library, "cos");
    return cosine == 0;
}
int zcdlopen_work(int n) { return n + (int)cosine(0.0); }
