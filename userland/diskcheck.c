/*
 * diskcheck DISK: what a program finds of a disk as a file. What the disk holds is lost. Says each thing that it has
 * found, and ends at the first that is wrong.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PAGE = 4096, ODD = 5000 };

static sigjmp_buf back;

static void expect(int holds, const char *what)
{
    if (!holds) {
        printf("not so: %s (%s)\n", what, strerror(errno));
        exit(1);
    }
    printf("%s\n", what);
}

static void on_fault(int number)
{
    (void)number;
    siglongjmp(back, 1);
}

/* Whether reading there is answered by SIGBUS. */
static int is_bus_error(volatile char *at)
{
    if (sigsetjmp(back, 1) == 0) {
        (void)*at;
        return 0;
    }
    return 1;
}

static int fails(long result, int error)
{
    return result == -1 && errno == error;
}

static off_t check_size(int disk)
{
    struct stat known;
    uint64_t bytes = 0;
    unsigned long sectors = 0;
    int sector = 0, read_only = 1;

    expect(fstat(disk, &known) == 0 && S_ISBLK(known.st_mode) && known.st_size == 0, "it is a block device");
    expect(ioctl(disk, BLKGETSIZE64, &bytes) == 0 && bytes > 16 * PAGE, "it has a size");
    expect(ioctl(disk, BLKGETSIZE, &sectors) == 0 && sectors == bytes / 512, "it has that many sectors");
    expect(ioctl(disk, BLKSSZGET, &sector) == 0 && sector == 512, "its sectors have 512 bytes");
    expect(ioctl(disk, BLKROGET, &read_only) == 0 && read_only == 0, "it can be written to");
    expect(lseek(disk, 0, SEEK_END) == (off_t)bytes, "its end is where its size says");
    expect(fails(lseek(disk, 1, SEEK_END), EINVAL), "behind it is nothing to seek");
    expect(fails(lseek(disk, 0, SEEK_HOLE), EINVAL), "it knows of no holes");
    expect(fails(ftruncate(disk, 0), EINVAL), "it keeps its size");
    return (off_t)bytes;
}

static void check_bytes(int disk, off_t size)
{
    static char out[ODD], in[2 * ODD];

    for (int n = 0; n < ODD; n++)
        out[n] = (char)(n * 31 >> 3);
    expect(pwrite(disk, out, ODD, 700) == ODD, "an odd number of bytes is written at an odd place");
    expect(pread(disk, in, ODD, 700) == ODD && memcmp(in, out, ODD) == 0, "and read");
    expect(fsync(disk) == 0 && fdatasync(disk) == 0, "it is synced");
    expect(pwrite(disk, out, ODD, size - 1000) == 1000, "a write at the end is short");
    expect(fails(pwrite(disk, out, 1, size), ENOSPC), "at the very end there is no room");
    expect(pread(disk, in, 2 * ODD, size - 1000) == 1000 && memcmp(in, out, 1000) == 0, "a read at the end is short");
    expect(pread(disk, in, 1, size) == 0, "at the very end is nothing to read");
    expect(ioctl(disk, BLKFLSBUF) == 0, "its pages are given up");
    expect(pread(disk, in, ODD, 700) == ODD && memcmp(in, out, ODD) == 0, "and read again");
}

static void check_flags(const char *name)
{
    char byte;
    int one = open(name, O_RDONLY | O_EXCL), other;

    expect(one >= 0 && fails(open(name, O_RDONLY | O_EXCL), EBUSY), "one at a time has it with O_EXCL");
    other = open(name, O_RDWR | O_APPEND | O_SYNC | O_TRUNC);
    expect(other >= 0, "others open it all the same");
    close(one);
    one = open(name, O_RDONLY | O_EXCL);
    expect(one >= 0, "then another has it");
    close(one);
    expect(write(other, "a", 1) == 1 && pread(other, &byte, 1, 0) == 1 && byte == 'a', "nothing is appended to it");
    close(other);
}

static void check_maps(int disk, off_t size)
{
    char bytes[4];
    char *shared = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, disk, PAGE);
    char *copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, disk, PAGE);
    char *end = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, disk, size - PAGE);

    expect(shared != MAP_FAILED && copy != MAP_FAILED && end != MAP_FAILED, "it is mapped, to share and to copy");
    expect(pwrite(disk, "one", 3, PAGE) == 3 && memcmp(shared, "one", 3) == 0, "what is written is in memory");
    memcpy(shared, "two", 3);
    expect(pread(disk, bytes, 3, PAGE) == 3 && memcmp(bytes, "two", 3) == 0, "what is written in memory is read");
    expect(memcmp(copy, "two", 3) == 0, "the copy shows it until its first write");
    memcpy(copy, "own", 3);
    expect(memcmp(shared, "two", 3) == 0, "which only the copy shows");
    expect(msync(shared, 2 * PAGE, MS_SYNC) == 0 && msync(shared, PAGE, MS_ASYNC) == 0, "memory is synced");
    expect(fails(msync(shared + 1, PAGE, MS_SYNC), EINVAL), "from a page's start on only");
    expect(fails(msync(shared, PAGE, MS_SYNC | MS_ASYNC), EINVAL), "and in one way");
    expect(is_bus_error(end + PAGE), "beyond the end is SIGBUS");
    munmap(copy, PAGE);
    munmap(shared, 2 * PAGE);
    expect(fails(msync(shared, PAGE, MS_SYNC), ENOMEM), "where nothing is mapped is nothing to sync");
    expect(ioctl(disk, BLKFLSBUF) == 0, "its pages are given up");
    expect(pread(disk, bytes, 3, PAGE) == 3 && memcmp(bytes, "two", 3) == 0, "what was written in memory stays");
}

int main(int count, char **words)
{
    struct sigaction act = { .sa_handler = on_fault };
    int disk = count == 2 ? open(words[1], O_RDWR) : -1;
    off_t size;

    if (disk < 0) {
        fprintf(stderr, "usage: diskcheck DISK\n");
        return 2;
    }
    sigaction(SIGBUS, &act, NULL);
    size = check_size(disk);
    check_bytes(disk, size);
    check_flags(words[1]);
    check_maps(disk, size);
    return 0;
}
