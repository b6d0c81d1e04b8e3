#include <stdlib.h>
#include <string.h>
int zcsetenv_start(void) { return setenv("ZCSETENV", "a value", 1); }
int zcsetenv_work(int n) {
    const char* value = getenv("ZCSETENV");
    return value && !strcmp(value, "a value") ? n + 1 : 0;
}
