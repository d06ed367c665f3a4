/*
 * forkbomb [TRIES]: forks as often as it may, 10,000 times unless told otherwise, and says what stopped it.
 *
 * The children wait for the end of a pipe, so all of them are there at once; then they go, and are waited for. Status 0
 * if every child came back, whether or not a fork was refused.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, DEFAULT_TRIES = 10000 };

/* Waits until all writing ends of the pipe are closed. */
static void wait_for_end(const int ends[2])
{
    char byte;

    close(ends[1]);
    while (read(ends[0], &byte, 1) < 0 && errno == EINTR)
        continue;
    _exit(0);
}

int main(int argc, char **argv)
{
    unsigned long tries = DEFAULT_TRIES, born = 0, refused = 0, back = 0;
    int ends[2], reason = 0, status;
    char *end;

    if (argc == 2) {
        tries = strtoul(argv[1], &end, 0);
        if (end == argv[1] || *end)
            argc = 0;
    }
    if (argc != 1 && argc != 2) {
        fprintf(stderr, "usage: forkbomb [TRIES]\n");
        return STATUS_USAGE;
    }
    if (pipe(ends) < 0) {
        perror("forkbomb: pipe");
        return 1;
    }
    for (unsigned long i = 0; i < tries; i++) {
        pid_t child = fork();

        if (child == 0)
            wait_for_end(ends);
        if (child > 0) {
            born++;
        } else {
            refused++;
            reason = errno;
        }
    }
    close(ends[0]);
    close(ends[1]);
    while (wait(&status) > 0)
        back += status == 0;
    printf("forkbomb: %lu children, %lu refusals%s%s, %lu came back\n", born, refused, reason ? ": " : "",
           reason ? strerror(reason) : "", back);
    return back == born ? 0 : 1;
}
