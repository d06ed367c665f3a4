/* Checks of signals to who waits: in calls, for signals, for children, stopped. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "handlers.h"

CHECK(signal_interrupts_a_read_unless_told_to_restart)
{
    int ends[2];
    char byte;
    pid_t child;

    EXPECT(pipe(ends) == 0);
    handle(SIGALRM, count, 0);
    ualarm(50000, 0);
    EXPECT_ERROR(read(ends[0], &byte, 1), EINTR);
    handle(SIGALRM, count, SA_RESTART);
    child = CHILD({
        nap(150);
        write(ends[1], "x", 1);
    });
    ualarm(50000, 0);
    EXPECT(read(ends[0], &byte, 1) == 1 && byte == 'x');
    EXPECT(calls_of_handler == 2);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_that_is_ignored_interrupts_nothing)
{
    struct timespec time = {0, 200000000}, rest = {7, 7};
    pid_t self = getpid(), child;

    handle(SIGCHLD, SIG_DFL, 0);
    child = CHILD({
        nap(50);
        kill(self, SIGWINCH);
    });
    EXPECT(nanosleep(&time, &rest) == 0);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_interrupts_a_sleep_and_tells_the_rest)
{
    struct timespec time = {5, 0}, rest = {0, 0};

    handle(SIGALRM, count, SA_RESTART);
    ualarm(50000, 0);
    EXPECT_ERROR(nanosleep(&time, &rest), EINTR);
    EXPECT(rest.tv_sec == 4 && rest.tv_nsec > 500000000);
}

CHECK(signal_suspend_waits_with_another_mask)
{
    sigset_t all, none, now;

    handle(SIGALRM, count, SA_RESTART);
    sigfillset(&all);
    sigemptyset(&none);
    EXPECT(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    EXPECT(kill(getpid(), SIGALRM) == 0 && calls_of_handler == 0);
    EXPECT_ERROR(sigsuspend(&none), EINTR);
    EXPECT(calls_of_handler == 1);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0 && sigismember(&now, SIGALRM) == 1);
}

CHECK(signal_pause_ends_after_a_handler)
{
    handle(SIGALRM, count, SA_RESTART);
    ualarm(50000, 0);
    EXPECT_ERROR(pause(), EINTR);
    EXPECT(calls_of_handler == 1);
}

CHECK(signal_wait_takes_without_a_handler)
{
    sigset_t set;
    siginfo_t info;
    struct timespec time = {0, 50000000}, none = {0, 0};

    handle(SIGUSR1, count, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT_ERROR(sigtimedwait(&set, &info, &none), EAGAIN);
    EXPECT_ERROR(sigtimedwait(&set, &info, &time), EAGAIN);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGUSR1 && info.si_pid == getpid());
    handle(SIGALRM, count, 0);
    sigaddset(&set, SIGALRM);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    ualarm(50000, 0);
    EXPECT(sigwaitinfo(&set, &info) == SIGALRM && calls_of_handler == 0);
}

CHECK(signal_queue_keeps_order_and_values)
{
    sigset_t set;
    siginfo_t info;

    sigemptyset(&set);
    sigaddset(&set, SIGRTMIN);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    for (int i = 0; i < 5; i++)
        EXPECT(sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = i}) == 0);
    for (int i = 0; i < 5; i++)
        EXPECT(sigwaitinfo(&set, &info) == SIGRTMIN && info.si_value.sival_int == i && info.si_code == SI_QUEUE);
}

CHECK(signal_alarm_says_what_was_left)
{
    struct itimerval timer = {{0, 30000}, {0, 30000}}, old;

    EXPECT(alarm(100) == 0);
    EXPECT(alarm(0) == 100 && alarm(0) == 0);
    handle(SIGALRM, count, SA_RESTART);
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    while (calls_of_handler < 3)
        pause();
    EXPECT(getitimer(ITIMER_REAL, &old) == 0 && old.it_interval.tv_usec == 30000);
    memset(&timer, 0, sizeof(timer));
    EXPECT(setitimer(ITIMER_REAL, &timer, NULL) == 0);
    EXPECT_ERROR(setitimer(99, &timer, NULL), EINVAL);
}

CHECK(signal_child_tells_its_parent)
{
    sigset_t set;
    siginfo_t info;
    pid_t child;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({ _exit(7); });
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_EXITED);
    EXPECT(info.si_pid == child && info.si_status == 7);
    EXPECT(waitpid(child, NULL, 0) == child);
    child = CHILD({ kill(getpid(), SIGTERM); });
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_KILLED && info.si_status == SIGTERM);
    EXPECT(waitpid(child, NULL, 0) == child);
}

CHECK(signal_children_of_who_ignores_them_leave_no_zombies)
{
    pid_t child;

    handle(SIGCHLD, SIG_IGN, 0);
    child = CHILD({});
    EXPECT_ERROR(waitpid(child, NULL, 0), ECHILD);
    handle(SIGCHLD, SIG_DFL, SA_NOCLDWAIT);
    child = CHILD({});
    EXPECT_ERROR(waitpid(child, NULL, 0), ECHILD);
}

CHECK(signal_stops_and_continues)
{
    sigset_t set;
    siginfo_t info;
    int status;
    pid_t child;

    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({
        while (1)
            pause();
    });
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
    EXPECT(sigwaitinfo(&set, &info) == SIGCHLD && info.si_code == CLD_STOPPED && info.si_status == SIGSTOP);
    EXPECT(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
    /* A stopped process takes no signal but those that let it go on. */
    EXPECT(kill(child, SIGTERM) == 0);
    nap(50);
    EXPECT(waitpid(child, &status, WNOHANG) == 0);
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

CHECK(signal_continue_is_news_to_a_parent)
{
    int status;
    pid_t child = CHILD({
        while (1)
            pause();
    });

    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGKILL) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGKILL);
}

CHECK(signal_sleep_goes_on_after_a_stop)
{
    int status;
    struct timespec before, after;
    pid_t child = CHILD({
        struct timespec time = {0, 300000000};

        clock_gettime(CLOCK_MONOTONIC, &before);
        if (nanosleep(&time, NULL) < 0)
            _exit(1);
        clock_gettime(CLOCK_MONOTONIC, &after);
        _exit(after.tv_sec - before.tv_sec > 1 ? 2 : 0);
    });

    nap(50);
    EXPECT(kill(child, SIGSTOP) == 0);
    EXPECT(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}
