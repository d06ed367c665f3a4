/* Checks of calls that move bytes: read and write in their forms, sendfile, truncate, and bad addresses. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static const char *const NAME = "/tmp/calls-io", *const OTHER = "/tmp/calls-io-2";

enum { PAGE = 4096 };

/* An address at which nothing is mapped, which the compiler does not see through. */
static char *volatile nowhere = (char *)16;

/* Counts that the compiler does not see through. */
static volatile int negative = -1, too_many = IOV_MAX + 1;

static int file_with(const char *name, const char *text)
{
    int file = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);

    EXPECT(file >= 0);
    EXPECT(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    EXPECT(lseek(file, 0, SEEK_SET) == 0);
    return file;
}

static void done_with(int file)
{
    close(file);
    unlink(NAME);
}

/* Two pages, of which the second is not there. */
static char *edge(void)
{
    char *memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    EXPECT(memory != MAP_FAILED);
    EXPECT(munmap(memory + PAGE, PAGE) == 0);
    return memory + PAGE;
}

CHECK(io_vectors_are_gathered_and_scattered)
{
    char a[3], b[4], c[8];
    struct iovec out[] = {{"abc", 3}, {NULL, 0}, {"defg", 4}};
    struct iovec in[] = {{a, 3}, {nowhere, 0}, {b, 4}, {c, 8}};
    int file = file_with(NAME, "");

    EXPECT(writev(file, out, 3) == 7);
    EXPECT(lseek(file, 0, SEEK_SET) == 0);
    EXPECT(readv(file, in, 4) == 7);
    EXPECT(memcmp(a, "abc", 3) == 0 && memcmp(b, "defg", 4) == 0);
    EXPECT(readv(file, in, 4) == 0);
    EXPECT(readv(file, in, 0) == 0);
    EXPECT_ERROR(readv(file, in, negative), EINVAL);
    EXPECT_ERROR(readv(file, in, too_many), EINVAL);
    EXPECT_ERROR(readv(file, (struct iovec *)nowhere, 1), EFAULT);
    in[0].iov_len = (size_t)-1;
    EXPECT_ERROR(readv(file, in, 1), EINVAL);
    done_with(file);
}

CHECK(io_vector_that_leads_nowhere_ends_what_came_before)
{
    char a[3];
    struct iovec in[] = {{a, 3}, {nowhere, 4}};
    int file = file_with(NAME, "abcdefg");

    EXPECT(readv(file, in, 2) == 3);
    EXPECT(lseek(file, 0, SEEK_CUR) == 3);
    EXPECT_ERROR(readv(file, in + 1, 1), EFAULT);
    EXPECT(lseek(file, 0, SEEK_CUR) == 3);
    done_with(file);
}

CHECK(io_at_a_position_leaves_the_position)
{
    char text[8] = "";
    struct iovec out[] = {{"X", 1}, {"Y", 1}};
    int file = file_with(NAME, "0123456789"), ends[2];

    EXPECT(pread(file, text, 3, 4) == 3 && memcmp(text, "456", 3) == 0);
    EXPECT(pwrite(file, "ab", 2, 9) == 2);
    EXPECT(pwritev(file, out, 2, 0) == 2);
    EXPECT(lseek(file, 0, SEEK_CUR) == 0);
    EXPECT(pread(file, text, 8, 0) == 8 && memcmp(text, "XY234567", 8) == 0);
    EXPECT(pread(file, text, 8, 8) == 3 && memcmp(text, "8ab", 3) == 0);
    EXPECT(pread(file, text, 8, 11) == 0);
    EXPECT_ERROR(pread(file, text, 1, -1), EINVAL);
    EXPECT_ERROR(pwrite(file, text, 1, -1), EINVAL);
    EXPECT(pipe(ends) == 0);
    EXPECT_ERROR(pread(ends[0], text, 1, 0), ESPIPE);
    EXPECT_ERROR(pwrite(ends[1], text, 1, 0), ESPIPE);
    done_with(file);
}

CHECK(io_needs_a_file_that_is_open_for_it)
{
    char byte;
    int file = file_with(NAME, "text"), reader = open(NAME, O_RDONLY), writer = open(NAME, O_WRONLY);

    EXPECT_ERROR(write(reader, "a", 1), EBADF);
    EXPECT_ERROR(read(writer, &byte, 1), EBADF);
    EXPECT_ERROR(pread(writer, &byte, 1, 0), EBADF);
    EXPECT_ERROR(read(-1, &byte, 1), EBADF);
    EXPECT_ERROR(read(1000, &byte, 1), EBADF);
    EXPECT_ERROR(read(1 << 30, &byte, 1), EBADF);
    EXPECT(read(reader, nowhere, 0) == 0);
    EXPECT(write(writer, nowhere, 0) == 0);
    EXPECT_ERROR(read(open("/tmp", O_RDONLY), &byte, 1), EISDIR);
    done_with(file);
}

CHECK(io_at_the_edge_of_memory_is_short)
{
    char *end = edge(), text[8];
    int file = file_with(NAME, "0123456789");

    EXPECT(read(file, end - 4, 10) == 4 && memcmp(end - 4, "0123", 4) == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 4);
    EXPECT_ERROR(read(file, end, 10), EFAULT);
    EXPECT(lseek(file, 0, SEEK_CUR) == 4);
    EXPECT(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
    memcpy(end - 4, "wxyz", 4);
    EXPECT(write(file, end - 4, 10) == 4);
    EXPECT_ERROR(write(file, end, 10), EFAULT);
    EXPECT(pread(file, text, 8, 0) == 4 && memcmp(text, "wxyz", 4) == 0);
    EXPECT_ERROR(read(file, (char *)-4096, 10), EFAULT);
    EXPECT_ERROR(write(file, (char *)0x8000000000000000, 10), EFAULT);
    done_with(file);
}

CHECK(io_into_fresh_memory_brings_its_pages)
{
    enum { SIZE = 64 * PAGE };
    char *from = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int file = file_with(NAME, "");

    for (int i = 0; i < SIZE; i++)
        from[i] = (char)(i * 7 + i / PAGE);
    EXPECT(write(file, from, SIZE) == SIZE);
    EXPECT(pread(file, to, SIZE, 0) == SIZE);
    EXPECT(memcmp(from, to, SIZE) == 0);
    done_with(file);
}

CHECK(io_appends_wherever_the_position_is)
{
    char text[8];
    int file = file_with(NAME, "abc"), end = open(NAME, O_RDWR | O_APPEND);

    EXPECT(lseek(end, 0, SEEK_SET) == 0);
    EXPECT(write(end, "de", 2) == 2);
    EXPECT(lseek(end, 0, SEEK_CUR) == 5);
    EXPECT(pread(file, text, 8, 0) == 5 && memcmp(text, "abcde", 5) == 0);
    done_with(file);
}

CHECK(io_beyond_the_end_leaves_zeros)
{
    char text[8];
    struct stat status;
    int file = file_with(NAME, "a");

    EXPECT(lseek(file, 5, SEEK_SET) == 5);
    EXPECT(write(file, "b", 1) == 1);
    EXPECT(pread(file, text, 8, 0) == 6 && memcmp(text, "a\0\0\0\0b", 6) == 0);
    EXPECT(ftruncate(file, 3) == 0 && fstat(file, &status) == 0 && status.st_size == 3);
    EXPECT(truncate(NAME, 8) == 0);
    EXPECT(pread(file, text, 8, 0) == 8 && memcmp(text, "a\0\0\0\0\0\0\0", 8) == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 6);
    EXPECT_ERROR(ftruncate(file, -1), EINVAL);
    EXPECT_ERROR(ftruncate(open(NAME, O_RDONLY), 1), EINVAL);
    EXPECT_ERROR(truncate("/tmp", 1), EISDIR);
    EXPECT_ERROR(truncate("/tmp/calls-missing", 1), ENOENT);
    EXPECT_ERROR(lseek(file, -1, SEEK_SET), EINVAL);
    EXPECT_ERROR(lseek(file, 0, 77), EINVAL);
    done_with(file);
}

CHECK(io_by_sendfile_copies_between_files)
{
    char text[16];
    off_t offset = 2;
    int from = file_with(NAME, "0123456789"), to = file_with(OTHER, ""), ends[2];

    EXPECT(sendfile(to, from, NULL, 4) == 4);
    EXPECT(lseek(from, 0, SEEK_CUR) == 4);
    EXPECT(sendfile(to, from, &offset, 3) == 3 && offset == 5);
    EXPECT(lseek(from, 0, SEEK_CUR) == 4);
    EXPECT(sendfile(to, from, NULL, 1 << 24) == 6);
    EXPECT(sendfile(to, from, NULL, 1 << 24) == 0);
    EXPECT(pread(to, text, 16, 0) == 13 && memcmp(text, "0123234456789", 13) == 0);
    EXPECT(pipe(ends) == 0);
    offset = 0;
    EXPECT(sendfile(ends[1], from, &offset, 5) == 5);
    EXPECT(read(ends[0], text, 16) == 5 && memcmp(text, "01234", 5) == 0);
    EXPECT_ERROR(sendfile(to, ends[0], &offset, 5), ESPIPE);
    EXPECT_ERROR(sendfile(to, from, (off_t *)nowhere, 5), EFAULT);
    EXPECT_ERROR(sendfile(-1, from, NULL, 5), EBADF);
    offset = -1;
    EXPECT_ERROR(sendfile(to, from, &offset, 5), EINVAL);
    unlink(OTHER);
    done_with(from);
}

CHECK(io_by_copy_file_range_copies_between_files)
{
    char text[16];
    off_t in = 1, out = 2;
    int from = file_with(NAME, "0123456789"), to = file_with(OTHER, "abcdef");

    EXPECT(copy_file_range(from, &in, to, &out, 3, 0) == 3 && in == 4 && out == 5);
    EXPECT(copy_file_range(from, NULL, to, NULL, 2, 0) == 2);
    EXPECT(lseek(from, 0, SEEK_CUR) == 2 && lseek(to, 0, SEEK_CUR) == 2);
    EXPECT(pread(to, text, 16, 0) == 6 && memcmp(text, "01123f", 6) == 0);
    in = 100;
    EXPECT(copy_file_range(from, &in, to, NULL, 3, 0) == 0);
    EXPECT_ERROR(copy_file_range(from, &in, to, NULL, 3, 1), EINVAL);
    EXPECT_ERROR(copy_file_range(from, NULL, open("/tmp", O_RDONLY), NULL, 3, 0), EISDIR);
    unlink(OTHER);
    done_with(from);
}

CHECK(io_through_a_pipe_ends_with_its_other_end)
{
    char text[8];
    int ends[2];

    EXPECT(pipe(ends) == 0);
    EXPECT(write(ends[1], "abc", 3) == 3);
    EXPECT_ERROR(lseek(ends[0], 0, SEEK_CUR), ESPIPE);
    EXPECT(close(ends[1]) == 0);
    EXPECT(read(ends[0], text, 8) == 3 && memcmp(text, "abc", 3) == 0);
    EXPECT(read(ends[0], text, 8) == 0);
    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    EXPECT(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    EXPECT_ERROR(write(ends[1], "abc", 3), EPIPE);
    EXPECT_ERROR(pipe((int *)nowhere), EFAULT);
}

CHECK(io_into_a_pipe_that_nobody_reads_kills)
{
    int ends[2], status;
    pid_t child;

    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        EXPECT(write(ends[1], "abc", 3) == 3);
    }
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE);
}

CHECK(io_that_would_wait_is_refused_if_told_so)
{
    static char block[PAGE];
    char text[8];
    int ends[2];
    ssize_t room = 0, written;

    EXPECT(pipe2(ends, O_NONBLOCK | O_CLOEXEC) == 0);
    EXPECT(fcntl(ends[0], F_GETFL) == O_NONBLOCK && fcntl(ends[1], F_GETFL) == (O_WRONLY | O_NONBLOCK));
    EXPECT(fcntl(ends[0], F_GETFD) == FD_CLOEXEC);
    EXPECT_ERROR(read(ends[0], text, 8), EAGAIN);
    while ((written = write(ends[1], block, sizeof block)) > 0)
        room += written;
    EXPECT(room >= PAGE);
    EXPECT_ERROR(write(ends[1], "a", 1), EAGAIN);
    EXPECT(fcntl(ends[0], F_SETFL, 0) == 0 && fcntl(ends[0], F_GETFL) == 0);
    EXPECT(read(ends[0], text, 8) == 8);
    EXPECT_ERROR(pipe2(ends, 0x80000000), EINVAL);
}

CHECK(io_that_is_refused_takes_nothing)
{
    int file = open("/proc/sys/vm/page-cluster", O_WRONLY);

    EXPECT(file >= 0);
    EXPECT_ERROR(write(file, "many\n", 5), EINVAL);
    EXPECT_ERROR(pwrite(file, "many\n", 5, 0), EINVAL);
    close(file);
}

CHECK(io_is_synced)
{
    int file = file_with(NAME, "text"), ends[2];

    EXPECT(fsync(file) == 0 && fdatasync(file) == 0);
    sync();
    EXPECT_ERROR(fsync(-1), EBADF);
    EXPECT(pipe(ends) == 0);
    EXPECT_ERROR(fsync(ends[0]), EINVAL);
    EXPECT(syncfs(file) == 0 && sync_file_range(file, 0, 0, SYNC_FILE_RANGE_WRITE) == 0);
    EXPECT_ERROR(sync_file_range(file, 0, 0, 0x80), EINVAL);
    EXPECT_ERROR(sync_file_range(file, -1, 2, 0), EINVAL);
    EXPECT_ERROR(sync_file_range(ends[0], 0, 0, 0), ESPIPE);
    EXPECT(posix_fadvise(file, 0, 0, POSIX_FADV_WILLNEED) == 0);
    EXPECT(posix_fadvise(file, 0, 0, 77) == EINVAL);
    EXPECT(posix_fadvise(ends[0], 0, 0, 0) == ESPIPE);
    close(file);
    file = open(NAME, O_RDWR | O_SYNC);
    EXPECT(write(file, "more", 4) == 4 && pwrite(file, "x", 1, 0) == 1);
    EXPECT((fcntl(file, F_GETFL) & O_SYNC) == O_SYNC);
    done_with(file);
}
