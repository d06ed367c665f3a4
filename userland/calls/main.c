/* calls: runs the checks of this directory, each in a process of its own, and says how each went. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { STATUS_FAILED = 1 };

/* In the order of their names, so that the output does not depend on the linker. */
static struct check *checks;

void add_check(struct check *check)
{
    struct check **place = &checks;

    while (*place && strcmp((*place)->name, check->name) < 0)
        place = &(*place)->next;
    check->next = *place;
    *place = check;
}

void fail(const char *expected, const char *file, int line, int error)
{
    const char *slash = strrchr(file, '/');

    printf("%s:%d: not so: %s (%s)\n", slash ? slash + 1 : file, line, expected, strerror(error));
    fflush(stdout);
    _exit(STATUS_FAILED);
}

/* Whether the check passed. */
static int run(const struct check *check)
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        check->run();
        fflush(stdout);
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("calls: fork and wait");
        exit(STATUS_FAILED);
    }
    if (WIFSIGNALED(status))
        printf("%s: killed by signal %d\n", check->name, WTERMSIG(status));
    printf("%s %s\n", check->name, status == 0 ? "ok" : "FAILED");
    return status == 0;
}

static int is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strncmp(name, argv[i], strlen(argv[i])) == 0)
            return 1;
    return argc == 1;
}

int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;

    for (const struct check *check = checks; check; check = check->next) {
        if (!is_wanted(check->name, argc, argv))
            continue;
        if (run(check))
            passed++;
        else
            failed++;
    }
    printf("%u checks passed, %u failed\n", passed, failed);
    return failed || !passed ? STATUS_FAILED : 0;
}
