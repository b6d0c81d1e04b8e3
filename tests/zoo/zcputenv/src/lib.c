#include <stdlib.h>
#include <string.h>
static char variable[] = "ZCPUTENV=a value";
int zcputenv_start(void) { return putenv(variable); }
int zcputenv_work(int n) {
    const char* value = getenv("ZCPUTENV");
    return value && !strcmp(value, "a value") ? n + 1 : 0;
}
