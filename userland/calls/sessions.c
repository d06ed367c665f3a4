/* Checks of sessions and groups of processes. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Runs in a child: checks that change their own session. */
#define IN_CHILD(...)                                                                                                 \
    do {                                                                                                              \
        int status;                                                                                                   \
        pid_t child = fork();                                                                                         \
        if (child == 0) {                                                                                             \
            __VA_ARGS__;                                                                                              \
            _exit(0);                                                                                                 \
        }                                                                                                             \
        EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 0);                                      \
    } while (0)

CHECK(session_begins_without_a_terminal)
{
    IN_CHILD({
        EXPECT(setsid() == getpid());
        EXPECT(getsid(0) == getpid() && getpgrp() == getpid());
        EXPECT_ERROR(setsid(), EPERM);
        EXPECT_ERROR(setpgid(0, 0), EPERM);
        EXPECT_ERROR(open("/dev/tty", O_RDWR), ENXIO);
    });
}

CHECK(session_groups_are_inherited_and_changed)
{
    pid_t before = getpgrp();

    IN_CHILD({
        EXPECT(getpgrp() == before && getsid(0) == getsid(getppid()));
        EXPECT(setpgid(0, 0) == 0 && getpgrp() == getpid() && getpgid(getpid()) == getpid());
        EXPECT(setpgid(0, before) == 0 && getpgrp() == before);
    });
}

CHECK(session_setpgid_refuses_strangers)
{
    EXPECT_ERROR(setpgid(0, -1), EINVAL);
    EXPECT_ERROR(setpgid(-5, 0), EINVAL);
    EXPECT_ERROR(setpgid(-5, 7), ESRCH);
    EXPECT_ERROR(setpgid(0x3fffffff, 0), ESRCH);
    EXPECT_ERROR(getpgid(0x3fffffff), ESRCH);
    EXPECT_ERROR(getsid(-1), ESRCH);
    IN_CHILD({ EXPECT_ERROR(setpgid(getppid(), 0), ESRCH); });
    IN_CHILD({ EXPECT_ERROR(setpgid(0, 0x3fffffff), EPERM); });
}

CHECK(session_child_is_moved_by_its_parent_until_it_has_a_program)
{
    int ends[2], status;
    char byte;
    pid_t child;

    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        close(ends[1]);
        read(ends[0], &byte, 1);
        _exit(getpgrp() == getpid() ? 0 : 1);
    }
    EXPECT(child > 0 && setpgid(child, child) == 0 && getpgid(child) == child);
    EXPECT(close(ends[1]) == 0);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(session_wait_knows_groups)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    EXPECT(child > 0 && setpgid(child, child) == 0);
    EXPECT_ERROR(waitpid(-0x3fffffff, NULL, 0), ECHILD);
    EXPECT_ERROR(waitpid(0, NULL, 0), ECHILD);
    EXPECT(waitpid(-child, NULL, 0) == child);
}

static int told[2];

static void tell(int signal)
{
    char byte = signal == SIGHUP ? 'h' : '?';

    write(told[1], &byte, 1);
    _exit(0);
}

CHECK(session_stopped_group_that_nobody_minds_is_hung_up)
{
    char byte = 0;
    int status;
    pid_t minder;

    EXPECT(pipe(told) == 0);
    minder = fork();
    if (minder == 0) {
        pid_t stopped = fork();

        if (stopped == 0) {
            setpgid(0, 0);
            signal(SIGHUP, tell);
            raise(SIGSTOP);
            _exit(1);
        }
        _exit(waitpid(stopped, &status, WUNTRACED) == stopped && WIFSTOPPED(status) ? 0 : 1);
    }
    EXPECT(minder > 0 && close(told[1]) == 0);
    EXPECT(waitpid(minder, &status, 0) == minder && status == 0);
    EXPECT(read(told[0], &byte, 1) == 1 && byte == 'h');
}

CHECK(session_group_that_nobody_minds_is_not_stopped_by_a_key)
{
    int status;
    pid_t leader = fork();

    if (leader == 0) {
        setsid();
        raise(SIGTSTP);
        _exit(5);
    }
    EXPECT(leader > 0 && waitpid(leader, &status, WUNTRACED) == leader);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}
