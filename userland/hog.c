/*
 * hog [MIB [stay]]: takes memory, a mebibyte at a time, and writes to every page of it, as far as it gets or is told.
 *
 * Each mebibyte is a mapping of its own, and what was had is said each time that it has doubled. When mmap refuses,
 * hog ends with status 1 and says how much it had; when the kernel kills it, it can say no more.
 * With `stay` it keeps what it has until a signal ends it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, MIB = 1 << 20, PAGE = 4096 };

int main(int argc, char **argv)
{
    unsigned long wanted = ~0UL, next = 1;
    char *end;

    if (argc == 2 || (argc == 3 && strcmp(argv[2], "stay") == 0)) {
        wanted = strtoul(argv[1], &end, 0);
        if (end == argv[1] || *end)
            wanted = 0;
    } else if (argc != 1) {
        wanted = 0;
    }
    if (wanted == 0) {
        fprintf(stderr, "usage: hog [MIB [stay]]\n");
        return STATUS_USAGE;
    }
    setvbuf(stdout, NULL, _IONBF, 0);
    for (unsigned long had = 0; had < wanted; had++) {
        char *memory = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (memory == MAP_FAILED) {
            printf("hog: %lu MiB, and then: %s\n", had, strerror(errno));
            return 1;
        }
        for (unsigned long at = 0; at < MIB; at += PAGE)
            ((volatile char *)memory)[at] = (char)(had + 1);
        if (had + 1 == next) {
            printf("hog: %lu MiB\n", had + 1);
            next *= 2;
        }
    }
    printf("hog: %lu MiB, as told\n", wanted);
    while (argc == 3)
        pause();
    return 0;
}
