/* Checks of cscull's pipes: who waits, who does not want to, and who is told by a signal. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../calls/check.h"
#include "devices.h"

/* The minor numbers of pipes begin here. */
#define PIPES 16
/* Bytes that a pipe holds: one less than its ring. */
#define ROOM 3999

static volatile int signals;

static void count(int number)
{
    (void)number;
    signals++;
}

CHECK(cscull_pipe_gives_bytes_in_their_order)
{
    int writer = open_device("cscull", PIPES, O_WRONLY), reader = open_device("cscull", PIPES, O_RDONLY);
    char text[10];

    EXPECT(writer >= 0 && reader >= 0);
    EXPECT(write(writer, "one", 3) == 3 && write(writer, "two", 3) == 3);
    EXPECT(read(reader, text, 4) == 4 && memcmp(text, "onet", 4) == 0);
    EXPECT(read(reader, text, 10) == 2 && memcmp(text, "wo", 2) == 0);
}

CHECK(cscull_pipe_has_no_positions)
{
    int file = open_device("cscull", PIPES, O_RDWR);
    char byte;

    EXPECT(write(file, "x", 1) == 1);
    EXPECT_ERROR(lseek(file, 0, SEEK_CUR), ESPIPE);
    EXPECT_ERROR(pread(file, &byte, 1, 0), ESPIPE);
    EXPECT_ERROR(pwrite(file, &byte, 1, 0), ESPIPE);
    EXPECT(read(file, &byte, 1) == 1 && byte == 'x');
}

CHECK(cscull_pipe_does_not_wait_for_who_does_not_want_to)
{
    static char bytes[5000];
    int file = open_device("cscull", PIPES + 1, O_RDWR | O_NONBLOCK);
    ssize_t all = 0, written;

    EXPECT_ERROR(read(file, bytes, 1), EAGAIN);
    while ((written = write(file, bytes, sizeof(bytes))) > 0)
        all += written;
    EXPECT(all == ROOM);
    EXPECT_ERROR(write(file, bytes, 1), EAGAIN);
    EXPECT(read(file, bytes, sizeof(bytes)) > 0 && write(file, bytes, 1) == 1);
}

CHECK(cscull_pipe_wakes_a_reader_and_a_writer)
{
    static char bytes[ROOM];
    int file = open_device("cscull", PIPES + 2, O_RDWR), eager = open_device("cscull", PIPES + 2, O_RDWR | O_NONBLOCK);
    pid_t child = fork();
    int status;

    if (child == 0) {
        nap(20);
        EXPECT(write(file, "late", 4) == 4);
        nap(50);
        EXPECT(read(file, bytes, 2000) == 2000);
        _exit(0);
    }
    EXPECT(read(file, bytes, sizeof(bytes)) == 4 && memcmp(bytes, "late", 4) == 0);
    while (write(eager, bytes, sizeof(bytes)) > 0)
        ;
    EXPECT(write(file, "x", 1) == 1);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(cscull_pipe_is_left_by_a_signal)
{
    int file = open_device("cscull", PIPES + 3, O_RDWR);
    pid_t parent = getpid(), child;
    char byte;

    on_signal(SIGUSR1, count, 0);
    child = fork();
    if (child == 0) {
        nap(30);
        kill(parent, SIGUSR1);
        _exit(0);
    }
    EXPECT_ERROR(read(file, &byte, 1), EINTR);
    EXPECT(signals == 1 && waitpid(child, NULL, 0) == child);
}

CHECK(cscull_pipe_goes_on_after_a_signal_where_the_caller_wants_it)
{
    int file = open_device("cscull", PIPES + 3, O_RDWR);
    pid_t parent = getpid(), child;
    char byte = 0;

    on_signal(SIGUSR1, count, SA_RESTART);
    child = fork();
    if (child == 0) {
        nap(30);
        kill(parent, SIGUSR1);
        nap(30);
        _exit(write(file, "r", 1) != 1);
    }
    EXPECT(read(file, &byte, 1) == 1 && byte == 'r' && signals == 1);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(cscull_pipe_is_polled)
{
    int file = open_device("cscull", PIPES, O_RDWR);
    struct pollfd polled = {.fd = file, .events = POLLIN | POLLOUT};
    char byte;
    pid_t child;

    EXPECT(poll(&polled, 1, 0) == 1 && polled.revents == POLLOUT);
    EXPECT(write(file, "x", 1) == 1 && poll(&polled, 1, 0) == 1 && polled.revents == (POLLIN | POLLOUT));
    EXPECT(read(file, &byte, 1) == 1);
    polled.events = POLLIN;
    EXPECT(poll(&polled, 1, 10) == 0);
    child = fork();
    if (child == 0) {
        nap(30);
        _exit(write(file, "y", 1) != 1);
    }
    EXPECT(poll(&polled, 1, 10000) == 1 && polled.revents == POLLIN && read(file, &byte, 1) == 1 && byte == 'y');
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(cscull_pipe_tells_by_a_signal)
{
    int file = open_device("cscull", PIPES, O_RDWR), other = open_device("cscull", PIPES, O_WRONLY);

    on_signal(SIGIO, count, 0);
    EXPECT(fcntl(file, F_SETOWN, getpid()) == 0 && fcntl(file, F_GETOWN) == getpid());
    EXPECT(fcntl(file, F_SETFL, fcntl(file, F_GETFL) | O_ASYNC) == 0);
    EXPECT(write(other, "x", 1) == 1);
    for (int i = 0; i < 100 && !signals; i++)
        nap(5);
    EXPECT(signals == 1);
    EXPECT(fcntl(file, F_SETFL, fcntl(file, F_GETFL) & ~O_ASYNC) == 0);
    EXPECT(write(other, "y", 1) == 1);
    nap(20);
    EXPECT(signals == 1);
}
