/* Checks of calls about descriptors: dup in its forms, fcntl, what is closed where. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { FREE = 100 };

static int null(void)
{
    int file = open("/dev/null", O_RDWR);

    EXPECT(file >= 0);
    return file;
}

CHECK(descriptor_that_is_lowest_is_taken)
{
    int a = null(), b = null(), c = null();

    EXPECT(b == a + 1 && c == b + 1);
    close(a);
    close(b);
    EXPECT(dup(c) == a);
    EXPECT(null() == b);
    EXPECT_ERROR(dup(-1), EBADF);
    EXPECT_ERROR(dup(FREE), EBADF);
}

CHECK(descriptor_is_replaced_by_dup2)
{
    int file = null(), ends[2];
    char byte;

    EXPECT(pipe(ends) == 0);
    EXPECT(dup2(file, ends[1]) == ends[1]);
    EXPECT(read(ends[0], &byte, 1) == 0);
    EXPECT(dup2(file, FREE) == FREE && fcntl(FREE, F_GETFD) == 0);
    EXPECT(dup2(file, file) == file);
    EXPECT_ERROR(dup2(FREE + 1, FREE + 1), EBADF);
    EXPECT_ERROR(dup2(FREE + 1, file), EBADF);
    EXPECT_ERROR(dup2(file, -1), EBADF);
    EXPECT_ERROR(dup2(file, 1 << 20), EBADF);
    EXPECT(fcntl(file, F_GETFD) == 0);
}

CHECK(descriptor_of_dup3_may_close_on_exec)
{
    int file = null();

    EXPECT(dup3(file, FREE, O_CLOEXEC) == FREE && fcntl(FREE, F_GETFD) == FD_CLOEXEC);
    EXPECT(dup3(file, FREE, 0) == FREE && fcntl(FREE, F_GETFD) == 0);
    EXPECT_ERROR(dup3(file, file, 0), EINVAL);
    EXPECT_ERROR(dup3(file, FREE, O_APPEND), EINVAL);
    EXPECT_ERROR(dup3(file, -1, 0), EBADF);
}

CHECK(descriptor_is_copied_above_a_number)
{
    int file = null();

    EXPECT(fcntl(file, F_DUPFD, FREE) == FREE);
    EXPECT(fcntl(file, F_DUPFD, FREE) == FREE + 1);
    EXPECT(fcntl(file, F_DUPFD_CLOEXEC, FREE) == FREE + 2);
    EXPECT(fcntl(FREE + 1, F_GETFD) == 0 && fcntl(FREE + 2, F_GETFD) == FD_CLOEXEC);
    EXPECT_ERROR(fcntl(file, F_DUPFD, -1), EINVAL);
    EXPECT_ERROR(fcntl(file, F_DUPFD, 1 << 20), EINVAL);
    EXPECT_ERROR(fcntl(FREE + 7, F_DUPFD, 0), EBADF);
    EXPECT_ERROR(fcntl(file, 7777), EINVAL);
}

CHECK(descriptor_flags_are_the_tables_and_status_flags_the_files)
{
    int file = open("/dev/null", O_WRONLY | O_APPEND | O_CLOEXEC), copy = dup(file);

    EXPECT(fcntl(file, F_GETFD) == FD_CLOEXEC && fcntl(copy, F_GETFD) == 0);
    EXPECT((fcntl(file, F_GETFL) & ~0100000) == (O_WRONLY | O_APPEND));
    EXPECT(fcntl(copy, F_SETFL, O_NONBLOCK) == 0);
    EXPECT((fcntl(file, F_GETFL) & ~0100000) == (O_WRONLY | O_NONBLOCK));
    EXPECT(fcntl(file, F_SETFD, 0) == 0 && fcntl(file, F_GETFD) == 0);
    EXPECT(fcntl(file, F_SETFD, FD_CLOEXEC) == 0 && fcntl(file, F_GETFD) == FD_CLOEXEC);
    EXPECT(ioctl(file, FIONCLEX) == 0 && fcntl(file, F_GETFD) == 0);
    EXPECT(ioctl(file, FIOCLEX) == 0 && fcntl(file, F_GETFD) == FD_CLOEXEC);
}

CHECK(descriptors_are_limited)
{
    struct rlimit limit = {10, 1024};
    int file, last = -1;

    limit.rlim_max = 2049;
    EXPECT_ERROR(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    limit.rlim_max = RLIM_INFINITY;
    EXPECT_ERROR(setrlimit(RLIMIT_NOFILE, &limit), EPERM);
    limit.rlim_max = 1024;
    EXPECT(setrlimit(RLIMIT_NOFILE, &limit) == 0);
    while ((file = open("/dev/null", O_RDONLY)) >= 0)
        last = file;
    EXPECT(last == 9);
    EXPECT_ERROR(open("/dev/null", O_RDONLY), EMFILE);
    EXPECT_ERROR(dup(0), EMFILE);
    EXPECT_ERROR(fcntl(0, F_DUPFD, 5), EMFILE);
    EXPECT_ERROR(fcntl(0, F_DUPFD, 10), EINVAL);
    EXPECT_ERROR(dup2(0, 10), EBADF);
}

CHECK(descriptors_of_a_child_share_the_files)
{
    int file = open("/tmp/calls-descriptors", O_RDWR | O_CREAT | O_TRUNC, 0644), status;
    pid_t child;

    EXPECT(file >= 0 && write(file, "abcdef", 6) == 6);
    child = fork();
    if (child == 0) {
        lseek(file, 2, SEEK_SET);
        close(file);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 2);
    unlink("/tmp/calls-descriptors");
}

CHECK(descriptor_of_a_terminal_only_knows_terminals)
{
    char bytes[64];
    int file = null();

    EXPECT_ERROR(ioctl(file, TCGETS, bytes), ENOTTY);
    EXPECT_ERROR(ioctl(file, TIOCGWINSZ, bytes), ENOTTY);
    EXPECT_ERROR(ioctl(-1, TCGETS, bytes), EBADF);
    EXPECT(isatty(file) == 0);
}

CHECK(descriptors_are_closed_in_ranges)
{
    int file = null();

    EXPECT(dup2(file, 20) == 20 && dup2(file, 21) == 21 && dup2(file, 22) == 22);
    EXPECT(close_range(20, 21, 0) == 0);
    EXPECT_ERROR(fcntl(20, F_GETFD), EBADF);
    EXPECT_ERROR(fcntl(21, F_GETFD), EBADF);
    EXPECT(fcntl(22, F_GETFD) == 0);
    EXPECT(close_range(22, ~0U, CLOSE_RANGE_CLOEXEC) == 0 && fcntl(22, F_GETFD) == FD_CLOEXEC);
    EXPECT_ERROR(close_range(3, 2, 0), EINVAL);
}
