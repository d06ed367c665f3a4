/* Checks of waiting for several files: poll, ppoll, select, pselect. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

static volatile sig_atomic_t handled;

static void count(int signal)
{
    (void)signal;
    handled++;
}

static long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000 + time.tv_nsec / 1000000;
}

CHECK(poll_says_what_a_pipe_can_do)
{
    int ends[2];
    struct pollfd fds[2];

    EXPECT(pipe(ends) == 0);
    fds[0] = (struct pollfd){ends[0], POLLIN, 0};
    fds[1] = (struct pollfd){ends[1], POLLOUT, 0};
    EXPECT(poll(fds, 2, 0) == 1 && fds[0].revents == 0 && fds[1].revents == POLLOUT);
    EXPECT(write(ends[1], "x", 1) == 1);
    EXPECT(poll(fds, 1, -1) == 1 && fds[0].revents == POLLIN);
    fds[0].events = POLLIN | POLLRDNORM;
    EXPECT(poll(fds, 1, -1) == 1 && fds[0].revents == (POLLIN | POLLRDNORM));
    EXPECT(close(ends[1]) == 0);
    EXPECT(poll(fds, 1, -1) == 1 && fds[0].revents == (POLLIN | POLLRDNORM | POLLHUP));
}

CHECK(poll_writer_without_reader_is_an_error)
{
    int ends[2];
    struct pollfd fd;

    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    fd = (struct pollfd){ends[1], 0, 0};
    EXPECT(poll(&fd, 1, -1) == 1 && fd.revents == POLLERR);
}

CHECK(poll_passes_over_and_refuses_descriptors)
{
    struct pollfd fds[2] = {{-1, POLLIN, 99}, {1000, POLLIN, 0}};

    EXPECT(poll(fds, 2, 0) == 1 && fds[0].revents == 0 && fds[1].revents == POLLNVAL);
    EXPECT(poll(NULL, 0, 0) == 0);
    EXPECT_ERROR(syscall(SYS_poll, 8, 1, 0), EFAULT);
    EXPECT_ERROR(syscall(SYS_poll, fds, 1u << 30, 0), EINVAL);
}

CHECK(poll_waits_as_long_as_it_is_told)
{
    int ends[2];
    long before = now();
    struct pollfd fd;

    EXPECT(pipe(ends) == 0);
    fd = (struct pollfd){ends[0], POLLIN, 0};
    EXPECT(poll(&fd, 1, 60) == 0 && now() - before >= 60);
}

CHECK(poll_wakes_when_a_byte_comes)
{
    int ends[2];
    pid_t child;
    struct pollfd fd;

    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        struct timespec time = {0, 50000000};

        nanosleep(&time, NULL);
        write(ends[1], "x", 1);
        _exit(0);
    }
    fd = (struct pollfd){ends[0], POLLIN, 0};
    EXPECT(poll(&fd, 1, 10000) == 1 && fd.revents == POLLIN);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(poll_files_are_always_ready)
{
    struct pollfd fd = {open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0};

    EXPECT(fd.fd >= 0);
    EXPECT(poll(&fd, 1, -1) == 1 && fd.revents == (POLLIN | POLLOUT));
}

CHECK(poll_is_interrupted_whatever_the_handler_says)
{
    struct sigaction action = {.sa_handler = count, .sa_flags = SA_RESTART};
    int ends[2];
    struct pollfd fd;

    EXPECT(pipe(ends) == 0 && sigaction(SIGALRM, &action, NULL) == 0);
    fd = (struct pollfd){ends[0], POLLIN, 0};
    ualarm(50000, 0);
    EXPECT_ERROR(poll(&fd, 1, -1), EINTR);
    EXPECT(handled == 1);
}

CHECK(poll_with_a_mask_lets_a_blocked_signal_in)
{
    struct sigaction action = {.sa_handler = count};
    sigset_t block, none, now;
    int ends[2];
    struct pollfd fd;

    EXPECT(pipe(ends) == 0 && sigaction(SIGUSR1, &action, NULL) == 0);
    fd = (struct pollfd){ends[0], POLLIN, 0};
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &block, NULL) == 0 && kill(getpid(), SIGUSR1) == 0 && handled == 0);
    EXPECT_ERROR(ppoll(&fd, 1, NULL, &none), EINTR);
    EXPECT(handled == 1);
    EXPECT(sigprocmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1);
}

CHECK(poll_select_finds_ready_descriptors)
{
    int ends[2];
    fd_set in, out;
    struct timeval time = {0, 0};

    EXPECT(pipe(ends) == 0);
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_SET(ends[0], &in);
    FD_SET(ends[1], &out);
    EXPECT(select(ends[1] + 1, &in, &out, NULL, &time) == 1);
    EXPECT(!FD_ISSET(ends[0], &in) && FD_ISSET(ends[1], &out));
    EXPECT(write(ends[1], "x", 1) == 1);
    FD_SET(ends[0], &in);
    EXPECT(select(ends[1] + 1, &in, NULL, NULL, NULL) == 1 && FD_ISSET(ends[0], &in));
    FD_ZERO(&in);
    FD_SET(60, &in);
    EXPECT_ERROR(select(61, &in, NULL, NULL, &time), EBADF);
    EXPECT_ERROR(select(-1, NULL, NULL, NULL, &time), EINVAL);
    time.tv_usec = -1;
    EXPECT_ERROR(select(0, NULL, NULL, NULL, &time), EINVAL);
}

CHECK(poll_select_sleeps_and_tells_the_rest)
{
    struct timeval time = {0, 60000};
    long before = now();

    EXPECT(select(0, NULL, NULL, NULL, &time) == 0 && now() - before >= 60);
    EXPECT(time.tv_sec == 0 && time.tv_usec == 0);
}

CHECK(poll_pselect_takes_a_mask)
{
    struct sigaction action = {.sa_handler = count};
    sigset_t block, none;

    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    sigemptyset(&none);
    sigemptyset(&block);
    sigaddset(&block, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &block, NULL) == 0 && kill(getpid(), SIGUSR1) == 0);
    EXPECT_ERROR(pselect(0, NULL, NULL, NULL, NULL, &none), EINTR);
    EXPECT(handled == 1);
}
