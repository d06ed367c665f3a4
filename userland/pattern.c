/*
 * pattern MIB [fork]: fills so much memory with a pattern, and checks every byte of it three times.
 *
 * Meant for machines with less memory than that, and with swap. Every word tells its page, its place and who wrote it
 * when. The first check goes upwards, the second downwards; then every third page is written anew, and all is checked
 * once more. With `fork`, a child has the same memory meanwhile, and writes to every fifth page of it, so that pages
 * are shared, and copied, wherever they are; neither may see what the other wrote. The first wrong word is told, and
 * the status is 1.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, PAGE = 4096, PAGES_A_MIB = 256, WORDS = PAGE / 8 };

static uint64_t *memory;
static unsigned long pages;
static pid_t writer;
/* Which pages were written again by whom: every so many-th, 0: none. */
static unsigned long again;

static uint64_t word(unsigned long page, unsigned long place, unsigned long round)
{
    return ((uint64_t)writer << 44 | (uint64_t)round << 40 | (uint64_t)page << 12 | place) * 0x9e3779b97f4a7c15ull;
}

static unsigned long round_of(unsigned long page)
{
    return again && page % again == 0 ? again : 1;
}

static void write_page(unsigned long page)
{
    for (unsigned long place = 0; place < WORDS; place++)
        memory[page * WORDS + place] = word(page, place, round_of(page));
}

static int check_page(unsigned long page)
{
    for (unsigned long place = 0; place < WORDS; place++) {
        uint64_t found = memory[page * WORDS + place], expected = word(page, place, round_of(page));

        if (found != expected) {
            printf("pattern: page %lu, word %lu: %016llx instead of %016llx\n", page, place,
                   (unsigned long long)found, (unsigned long long)expected);
            return 0;
        }
    }
    return 1;
}

static int check(int downwards)
{
    for (unsigned long page = 0; page < pages; page++)
        if (!check_page(downwards ? pages - 1 - page : page))
            return 0;
    return 1;
}

static int write_again_and_check(unsigned long step)
{
    again = step;
    for (unsigned long page = 0; page < pages; page += step)
        write_page(page);
    return check(0);
}

int main(int argc, char **argv)
{
    char *end;
    unsigned long mib = argc > 1 ? strtoul(argv[1], &end, 0) : 0;
    int forks = argc == 3 && strcmp(argv[2], "fork") == 0, ok, status = 0;
    pid_t child = 0;

    if (mib == 0 || *end || argc > 3 || (argc == 3 && !forks)) {
        fprintf(stderr, "usage: pattern MIB [fork]\n");
        return STATUS_USAGE;
    }
    pages = mib * PAGES_A_MIB;
    memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        printf("pattern: %lu MiB: %s\n", mib, strerror(errno));
        return 1;
    }
    writer = getpid();
    for (unsigned long page = 0; page < pages; page++)
        write_page(page);
    if (forks) {
        child = fork();
        if (child < 0) {
            printf("pattern: fork: %s\n", strerror(errno));
            return 1;
        }
        if (child == 0)
            _exit(!(check(0) && write_again_and_check(5) && check(1)));
    }
    ok = check(0) && check(1) && write_again_and_check(3);
    if (child && (waitpid(child, &status, 0) != child || status != 0)) {
        printf("pattern: the child ended with status %#x\n", (unsigned)status);
        ok = 0;
    }
    if (ok)
        printf("pattern: %lu MiB, right three times\n", mib);
    return !ok;
}
