/* Checks of calls about memory: brk, mmap, munmap, mprotect, and what fork makes of them. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { PAGE = 4096, PAGES = 16, SIZE = PAGES * PAGE };

static char *anonymous(int protection, int sharing)
{
    char *memory = mmap(NULL, SIZE, protection, sharing | MAP_ANONYMOUS, -1, 0);

    EXPECT(memory != MAP_FAILED);
    EXPECT((uintptr_t)memory % PAGE == 0);
    return memory;
}

static int is_all(const char *memory, char value)
{
    for (int i = 0; i < SIZE; i++)
        if (memory[i] != value)
            return 0;
    return 1;
}

CHECK(memory_of_mmap_is_zero_and_may_be_written)
{
    char *memory = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);

    EXPECT(is_all(memory, 0));
    memset(memory, 1, SIZE);
    EXPECT(is_all(memory, 1));
    EXPECT(munmap(memory, SIZE) == 0);
}

CHECK(memory_of_a_child_is_its_own)
{
    char *private = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    char *shared = anonymous(PROT_READ | PROT_WRITE, MAP_SHARED);
    int status;
    pid_t child;

    memset(private, 1, SIZE);
    memset(shared, 1, SIZE);
    child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
        memset(private, 2, SIZE);
        memset(shared, 2, SIZE);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(is_all(private, 1));
    EXPECT(is_all(shared, 2));
}

CHECK(memory_that_was_unmapped_kills)
{
    char *memory = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int status;
    pid_t child;

    EXPECT(munmap(memory + PAGE, PAGE) == 0);
    memory[0] = memory[2 * PAGE] = 1;
    child = fork();
    if (child == 0)
        memory[PAGE] = 1;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
}

CHECK(memory_that_is_read_only_kills_who_writes)
{
    char *memory = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int status;
    pid_t child;

    memory[0] = 1;
    EXPECT(mprotect(memory, SIZE, PROT_READ) == 0);
    EXPECT(memory[0] == 1);
    child = fork();
    if (child == 0)
        memory[0] = 2;
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    EXPECT(mprotect(memory, SIZE, PROT_READ | PROT_WRITE) == 0);
    memory[0] = 3;
    EXPECT(memory[0] == 3);
}

CHECK(memory_at_a_fixed_place_replaces_what_is_there)
{
    char *memory = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

    memset(memory, 1, SIZE);
    EXPECT(mmap(memory + PAGE, PAGE, PROT_READ | PROT_WRITE, flags, -1, 0) == memory + PAGE);
    EXPECT(memory[PAGE - 1] == 1 && memory[PAGE] == 0 && memory[2 * PAGE - 1] == 0 && memory[2 * PAGE] == 1);
}

CHECK(memory_calls_refuse_what_makes_no_sense)
{
    EXPECT(mmap(NULL, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED && errno == EINVAL);
    EXPECT(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0) == MAP_FAILED && errno == EBADF);
    EXPECT_ERROR(munmap((void *)1, PAGE), EINVAL);
    EXPECT_ERROR(mprotect((void *)PAGE, PAGE, PROT_READ), ENOMEM);
}

CHECK(memory_of_brk_grows_and_is_zero)
{
    char *start = sbrk(SIZE);

    EXPECT(start != (void *)-1);
    EXPECT(is_all(start, 0));
    memset(start, 1, SIZE);
    EXPECT(sbrk(0) == start + SIZE);
    EXPECT(sbrk(-SIZE) == start + SIZE);
    EXPECT(sbrk(0) == start);
}

CHECK(memory_that_is_not_needed_is_zeros_again)
{
    char *memory = anonymous(PROT_READ | PROT_WRITE, MAP_PRIVATE);

    memset(memory, 1, SIZE);
    EXPECT(madvise(memory + PAGE, SIZE - 2 * PAGE, MADV_DONTNEED) == 0);
    EXPECT(memory[PAGE - 1] == 1 && memory[PAGE] == 0 && memory[SIZE - PAGE - 1] == 0 && memory[SIZE - PAGE] == 1);
    EXPECT(madvise(memory, SIZE, MADV_NORMAL) == 0);
    EXPECT_ERROR(madvise(memory + 1, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERROR(madvise(memory, PAGE, 12345), EINVAL);
    EXPECT(munmap(memory, SIZE) == 0);
}

CHECK(memory_of_files_is_synced)
{
    char name[] = "/tmp/calls-msync", *memory;
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0600);

    EXPECT(file >= 0 && ftruncate(file, SIZE) == 0);
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    EXPECT(memory != MAP_FAILED);
    memset(memory, 7, SIZE);
    EXPECT(msync(memory, SIZE, MS_SYNC) == 0 && msync(memory + PAGE, 1, MS_ASYNC | MS_INVALIDATE) == 0);
    EXPECT(msync(memory, 0, MS_SYNC) == 0);
    EXPECT_ERROR(msync(memory + 1, PAGE, MS_SYNC), EINVAL);
    EXPECT_ERROR(msync(memory, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    EXPECT_ERROR(msync(memory, PAGE, 0x80), EINVAL);
    EXPECT(munmap(memory + PAGE, PAGE) == 0);
    EXPECT_ERROR(msync(memory, 3 * PAGE, MS_SYNC), ENOMEM);
    EXPECT(msync(memory + 2 * PAGE, PAGE, MS_SYNC) == 0);
    EXPECT(munmap(memory, SIZE) == 0 && close(file) == 0 && unlink(name) == 0);
}
