/* Checks of signals: handlers, masks, whom they reach, what exec leaves of them. */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "handlers.h"

CHECK(signal_handler_runs_before_kill_returns)
{
    handle(SIGUSR1, count, 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(calls_of_handler == 1 && last_signal == SIGUSR1);
}

CHECK(signal_information_says_who_sent_it)
{
    handle_info(SIGUSR1, note, 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0);
    EXPECT(last_info.si_signo == SIGUSR1 && last_info.si_code == SI_USER);
    EXPECT(last_info.si_pid == getpid() && last_info.si_uid == getuid());
    EXPECT(raise(SIGUSR1) == 0);
    EXPECT(last_info.si_code == SI_TKILL);
}

CHECK(signal_action_reads_back_and_refuses)
{
    struct sigaction old, set = {.sa_handler = count, .sa_flags = SA_RESTART};

    sigemptyset(&set.sa_mask);
    sigaddset(&set.sa_mask, SIGUSR2);
    EXPECT(sigaction(SIGUSR1, &set, NULL) == 0);
    EXPECT(sigaction(SIGUSR1, NULL, &old) == 0);
    EXPECT(old.sa_handler == count && (old.sa_flags & SA_RESTART) && sigismember(&old.sa_mask, SIGUSR2) == 1);
    EXPECT_ERROR(sigaction(SIGKILL, &set, NULL), EINVAL);
    EXPECT_ERROR(sigaction(SIGSTOP, &set, NULL), EINVAL);
    EXPECT(sigaction(SIGKILL, NULL, &old) == 0 && old.sa_handler == SIG_DFL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, 0, NULL, NULL, 8), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, 65, NULL, NULL, 8), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 16), EINVAL);
    EXPECT_ERROR(syscall(SYS_rt_sigaction, SIGUSR1, (void *)8, NULL, 8), EFAULT);
}

CHECK(signal_that_is_blocked_waits)
{
    sigset_t set, pending;

    handle(SIGUSR1, count, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    EXPECT(kill(getpid(), SIGUSR1) == 0 && kill(getpid(), SIGUSR1) == 0);
    EXPECT(calls_of_handler == 0);
    EXPECT(sigpending(&pending) == 0 && sigismember(&pending, SIGUSR1) == 1);
    EXPECT(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    EXPECT(calls_of_handler == 1);
    EXPECT_ERROR(sigprocmask(77, &set, NULL), EINVAL);
}

CHECK(signal_mask_never_has_kill_and_stop)
{
    sigset_t set, now;

    sigfillset(&set);
    EXPECT(sigprocmask(SIG_SETMASK, &set, NULL) == 0);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, SIGKILL) == 0 && sigismember(&now, SIGSTOP) == 0 && sigismember(&now, SIGTERM) == 1);
}

static void look_at_mask(int signal)
{
    sigset_t now;

    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, signal) == 1 && sigismember(&now, SIGUSR2) == 1);
    count(signal);
}

CHECK(signal_handler_blocks_itself_and_its_mask)
{
    struct sigaction action = {.sa_handler = look_at_mask};
    sigset_t now;

    sigaddset(&action.sa_mask, SIGUSR2);
    EXPECT(sigaction(SIGUSR1, &action, NULL) == 0);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 1);
    EXPECT(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    EXPECT(sigismember(&now, SIGUSR1) == 0 && sigismember(&now, SIGUSR2) == 0);
}

static void raise_again(int signal)
{
    if (++calls_of_handler < 3)
        raise(signal);
}

CHECK(signal_nodefer_lets_it_come_within_its_handler)
{
    handle(SIGUSR1, raise_again, SA_NODEFER);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 3);
}

CHECK(signal_resethand_handles_once)
{
    struct sigaction now;

    handle(SIGUSR1, count, SA_RESETHAND);
    EXPECT(raise(SIGUSR1) == 0 && calls_of_handler == 1);
    EXPECT(sigaction(SIGUSR1, NULL, &now) == 0 && now.sa_handler == SIG_DFL);
}

CHECK(signal_defaults_end_or_do_nothing)
{
    static const int deadly[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGALRM, SIGPIPE, SIGKILL, 34};
    static const int harmless[] = {SIGCHLD, SIGCONT, SIGURG, SIGWINCH};
    int status;

    for (unsigned i = 0; i < sizeof(deadly) / sizeof(*deadly); i++) {
        pid_t child = CHILD({ kill(getpid(), deadly[i]); });

        EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == deadly[i]);
    }
    for (unsigned i = 0; i < sizeof(harmless) / sizeof(*harmless); i++)
        EXPECT(kill(getpid(), harmless[i]) == 0);
}

CHECK(signal_kill_finds_whom_it_means)
{
    int status;
    pid_t child;

    EXPECT(kill(getpid(), 0) == 0);
    EXPECT_ERROR(kill(0x3fffffff, 0), ESRCH);
    EXPECT_ERROR(kill(getpid(), 65), EINVAL);
    EXPECT_ERROR(kill(getpid(), -1), EINVAL);
    EXPECT_ERROR(syscall(SYS_tgkill, getpid(), -1, SIGUSR1), EINVAL);
    EXPECT_ERROR(syscall(SYS_tgkill, 1, getpid(), SIGUSR1), ESRCH);
    child = CHILD({
        setpgid(0, 0);
        pause();
    });
    setpgid(child, child);
    EXPECT(kill(-child, SIGTERM) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WTERMSIG(status) == SIGTERM);
    EXPECT_ERROR(kill(-child, 0), ESRCH);
}

CHECK(signal_ignored_ones_and_the_mask_go_through_exec_and_handlers_do_not)
{
    int status;
    sigset_t set;
    pid_t child;

    if (access("/bin/sh", X_OK) < 0)
        return;
    handle(SIGTERM, SIG_IGN, 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 5", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 5);
    handle(SIGTERM, count, 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -TERM $$; exit 5", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    sigemptyset(&set);
    sigaddset(&set, SIGHUP);
    EXPECT(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    child = CHILD({ execl("/bin/sh", "sh", "-c", "kill -HUP $$; exit 6", NULL); });
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 6);
}

CHECK(signal_pipe_without_reader_tells_the_writer)
{
    int ends[2];

    EXPECT(pipe(ends) == 0 && close(ends[0]) == 0);
    handle(SIGPIPE, count, 0);
    EXPECT_ERROR(write(ends[1], "x", 1), EPIPE);
    EXPECT(calls_of_handler == 1);
}

CHECK(signal_storm_loses_no_state)
{
    pid_t self = getpid(), child;
    volatile uint64_t sum = 0;

    handle(SIGUSR1, count, SA_RESTART);
    child = CHILD({
        for (int i = 0; i < 2000; i++)
            kill(self, SIGUSR1);
    });
    for (uint64_t i = 1; i <= 200000; i++)
        sum += i;
    while (waitpid(child, NULL, 0) < 0)
        EXPECT(errno == EINTR);
    EXPECT(sum == 200000ull * 200001 / 2 && calls_of_handler > 0);
}
