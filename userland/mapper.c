/*
 * mapper FILE [OFFSET LENGTH]: maps a part of a file or device, and writes what it finds there to standard output.
 *
 * Numbers as in C. Without them, the first page. The chapter's readers meet such a program where a driver's memory is
 * mapped: `mapper /dev/scullp0 4096 5000`. What lies beyond the end of a device kills it by SIGBUS.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, DEFAULT_LENGTH = 4096 };

static unsigned long number(const char *text)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 0);
    if (errno || end == text || *end) {
        fprintf(stderr, "mapper: %s is not a number\n", text);
        exit(STATUS_USAGE);
    }
    return value;
}

static int write_all(const char *from, size_t length)
{
    while (length > 0) {
        ssize_t written = write(STDOUT_FILENO, from, length);

        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            perror("mapper: standard output");
            return 1;
        }
        from += written;
        length -= (size_t)written;
    }
    return 0;
}

int main(int argc, char **argv)
{
    unsigned long offset = 0, length = DEFAULT_LENGTH;
    char *address;
    int file, status;

    if (argc != 2 && argc != 4) {
        fprintf(stderr, "usage: mapper FILE [OFFSET LENGTH]\n");
        return STATUS_USAGE;
    }
    if (argc == 4) {
        offset = number(argv[2]);
        length = number(argv[3]);
    }
    file = open(argv[1], O_RDONLY);
    if (file < 0) {
        fprintf(stderr, "mapper: %s: %s\n", argv[1], strerror(errno));
        return 1;
    }
    address = mmap(NULL, length, PROT_READ, MAP_PRIVATE, file, (off_t)offset);
    if (address == MAP_FAILED) {
        fprintf(stderr, "mapper: mmap of %lu bytes at %lu: %s\n", length, offset, strerror(errno));
        return 1;
    }
    /* The mapping outlives the descriptor. */
    close(file);
    fprintf(stderr, "mapped \"%s\" from %lu (0x%08lx) to %lu (0x%08lx)\n", argv[1], offset, offset, offset + length,
            offset + length);
    status = write_all(address, length);
    munmap(address, length);
    return status;
}
