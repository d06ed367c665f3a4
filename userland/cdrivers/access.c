/* Checks of cscull's devices with access control. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../calls/check.h"
#include "devices.h"

enum { SINGLE = 32, UID = 48, WUID = 64, PRIVATE = 80 };
enum { ONE = 1000, OTHER = 1001 };

static void ignore(int number)
{
    (void)number;
}

CHECK(cscull_single_has_one_user_at_a_time)
{
    int file = open_device("cscull", SINGLE, O_RDWR);

    EXPECT(file >= 0);
    EXPECT_ERROR(open_device("cscull", SINGLE, O_RDONLY), EBUSY);
    close(file);
    EXPECT((file = open_device("cscull", SINGLE, O_RDWR)) >= 0);
    EXPECT(write(file, "hello", 5) == 5 && lseek(file, 0, SEEK_END) == 5);
    EXPECT_ERROR(open_device("cscull", SINGLE + 1, O_RDONLY), ENODEV);
}

static int open_uid(void)
{
    int file = open_device("cscull", UID, O_RDWR);

    return file < 0 ? errno : 0;
}

/* Has the device open as one user while another tries, and the same once more. */
static int hold_uid(void)
{
    int file = open_device("cscull", UID, O_RDWR);

    EXPECT(file >= 0 && open_uid() == 0);
    nap(200);
    return 0;
}

CHECK(cscull_uid_is_for_one_user_and_for_root)
{
    int file = open_device("cscull", UID, O_RDWR), other = open_device("cscull", UID, O_RDWR);
    pid_t holder;

    EXPECT(file >= 0 && other >= 0 && close(file) == 0 && close(other) == 0);
    holder = fork();
    if (holder == 0) {
        EXPECT(setuid(ONE) == 0);
        _exit(hold_uid());
    }
    nap(50);
    EXPECT(in_child(OTHER, open_uid) == EBUSY && in_child(ONE, open_uid) == 0);
    EXPECT(in_child(0, open_uid) == 0);
    EXPECT(waitpid(holder, NULL, 0) == holder);
    EXPECT(in_child(OTHER, open_uid) == 0);
}

static int open_wuid(void)
{
    int file = open_device("cscull", WUID, O_RDWR);

    return file < 0 ? errno : 0;
}

static int open_wuid_at_once(void)
{
    int file = open_device("cscull", WUID, O_RDWR | O_NONBLOCK);

    return file < 0 ? errno : 0;
}

/* Is told to go on while it waits for the device. */
static int open_wuid_with_an_alarm(void)
{
    on_signal(SIGALRM, ignore, 0);
    ualarm(20000, 0);
    return open_wuid();
}

CHECK(cscull_wuid_has_other_users_wait)
{
    pid_t holder;

    EXPECT(in_child(0, open_wuid) == 0 && in_child(0, open_wuid_at_once) == 0);
    holder = fork();
    if (holder == 0) {
        EXPECT(setuid(ONE) == 0 && open_wuid() == 0);
        nap(300);
        _exit(0);
    }
    nap(50);
    EXPECT(in_child(OTHER, open_wuid_at_once) == EAGAIN && in_child(ONE, open_wuid_at_once) == 0);
    EXPECT(in_child(OTHER, open_wuid_with_an_alarm) == EINTR);
    EXPECT(waitpid(holder, NULL, WNOHANG) == 0);
    EXPECT(in_child(OTHER, open_wuid) == 0);
    EXPECT(waitpid(holder, NULL, 0) == holder);
}

/* A signal ends an open that waits, unless it is to go on. */
CHECK(cnames_door_is_left_by_a_signal_and_opened_by_a_command)
{
    int file = open_device("cnames", 0, O_RDONLY);
    pid_t child;

    on_signal(SIGALRM, ignore, 0);
    ualarm(30000, 0);
    EXPECT_ERROR(open_device("cnames", 1, O_RDONLY), EINTR);
    on_signal(SIGALRM, ignore, SA_RESTART);
    child = fork();
    if (child == 0) {
        nap(100);
        _exit(ioctl(file, 3) != 0);
    }
    ualarm(30000, 0);
    EXPECT(open_device("cnames", 1, O_RDONLY) >= 0);
    EXPECT(waitpid(child, NULL, 0) == child);
}

static int open_private_without_a_terminal(void)
{
    EXPECT(setsid() > 0);
    return open_device("cscull", PRIVATE, O_RDONLY) < 0 ? errno : 0;
}

CHECK(cscull_private_is_for_who_has_a_terminal)
{
    char text[5];
    int file;

    EXPECT(in_child(0, open_private_without_a_terminal) == EINVAL);
    file = open_device("cscull", PRIVATE, O_RDWR);
    if (file < 0 && errno == EINVAL)
        return; /* nobody has one: the kernel's own shell, fed by a pipe */
    EXPECT(file >= 0 && write(file, "mine", 4) == 4);
    EXPECT((file = open_device("cscull", PRIVATE, O_RDWR)) >= 0 && read(file, text, 4) == 4 && !memcmp(text, "mine", 4));
}
