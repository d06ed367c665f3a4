/* Checks of calls about processes: fork, exec, wait, exit, and who is who. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

CHECK(process_that_exits_leaves_its_status)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        _exit(42);
    EXPECT(child > 0);
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 42);
    EXPECT_ERROR(waitpid(child, &status, 0), ECHILD);
}

CHECK(process_knows_itself_and_its_parent)
{
    pid_t parent = getpid(), child = fork();
    int status;

    if (child == 0)
        _exit(getppid() == parent && getpid() != parent ? 0 : 1);
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(process_that_is_killed_leaves_the_signal)
{
    int status;
    pid_t child = fork();

    if (child == 0)
        for (;;)
            pause();
    EXPECT(kill(child, SIGKILL) == 0);
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

CHECK(process_without_children_has_none_to_wait_for)
{
    int status;

    EXPECT_ERROR(wait(&status), ECHILD);
}

CHECK(process_that_cannot_exec_goes_on)
{
    char *arguments[] = {"nothing", NULL};

    EXPECT_ERROR(execv("/nothing/here", arguments), ENOENT);
    EXPECT_ERROR(execv("/", arguments), EACCES);
}

CHECK(process_takes_argument_and_environment_along)
{
    char *arguments[] = {"hello", "one", NULL}, *environment[] = {NULL};
    char text[256] = "";
    int ends[2], status;
    pid_t child;

    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execve("/bin/hello", arguments, environment);
        _exit(1);
    }
    close(ends[1]);
    for (size_t had = 0, more = 1; more > 0 && had < sizeof text - 1; had += more) {
        ssize_t got = read(ends[0], text + had, sizeof text - 1 - had);

        EXPECT(got >= 0);
        more = (size_t)got;
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(strstr(text, "argument 0: hello\nargument 1: one\n"));
}

CHECK(process_that_wait_may_not_wait_for_is_none_yet)
{
    int ends[2], status;
    char byte;
    pid_t child;

    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        close(ends[1]);
        _exit(read(ends[0], &byte, 1) == 0 ? 5 : 6);
    }
    EXPECT(waitpid(child, &status, WNOHANG) == 0);
    EXPECT_ERROR(waitpid(child + 1000, &status, WNOHANG), ECHILD);
    EXPECT_ERROR(waitpid(-1, &status, 0x1000), EINVAL);
    EXPECT_ERROR(waitpid(INT_MIN, &status, 0), ESRCH);
    close(ends[1]);
    EXPECT(waitpid(0, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 5);
}

CHECK(process_that_stops_and_goes_on_is_told_of)
{
    int status;
    pid_t child = fork();

    if (child == 0) {
        raise(SIGSTOP);
        usleep(100000);
        _exit(7);
    }
    EXPECT(waitpid(child, &status, WUNTRACED) == child);
    EXPECT(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP && status == 0x137f);
    EXPECT(waitpid(child, &status, WUNTRACED | WNOHANG) == 0);
    EXPECT(kill(child, SIGCONT) == 0);
    EXPECT(waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status));
    EXPECT(waitpid(child, &status, WCONTINUED) == child && status == 7 << 8);
}

CHECK(process_of_vfork_may_exec_and_exit)
{
    int status;
    pid_t child = vfork();

    if (child == 0)
        _exit(9);
    EXPECT(child > 0 && waitpid(child, &status, 0) == child && status == 9 << 8);
    child = vfork();
    if (child == 0) {
        close(STDOUT_FILENO);
        execl("/bin/hello", "hello", NULL);
        _exit(1);
    }
    /* The parent goes on when the child has its program. */
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status));
}

CHECK(process_without_parent_has_another)
{
    int ends[2], status;
    pid_t child, parents[2] = {0, 0};

    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        if (fork() == 0) {
            parents[0] = getppid();
            while (getppid() == parents[0])
                usleep(1000);
            parents[1] = getppid();
            (void)!write(ends[1], parents, sizeof parents);
            _exit(0);
        }
        usleep(20000);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(read(ends[0], parents, sizeof parents) == sizeof parents);
    EXPECT(parents[0] == child && parents[1] != child);
}

CHECK(process_keeps_only_what_exec_leaves_open)
{
    char *arguments[] = {"calls", "nothing", NULL}, *environment[] = {NULL};
    int ends[2], status;
    pid_t child;
    char byte;

    EXPECT(pipe2(ends, O_CLOEXEC) == 0);
    child = fork();
    if (child == 0) {
        close(STDOUT_FILENO);
        execve("/proc/self/exe", arguments, environment);
        _exit(99);
    }
    close(ends[1]);
    /* The end comes with the exec, not only with the child's. */
    EXPECT(read(ends[0], &byte, 1) == 0);
    EXPECT(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) != 99);
}

CHECK(process_runs_scripts_by_their_first_line)
{
    static const char script[] = "#!/bin/hello  -x  y \nnothing of this is read\n";
    char path[] = "/tmp/script.XXXXXX", text[256] = "", wanted[128];
    char *arguments[] = {"name", "last", NULL};
    int ends[2], status, file = mkstemp(path);
    ssize_t got;
    pid_t child;

    EXPECT(write(file, script, sizeof script - 1) == sizeof script - 1);
    EXPECT_ERROR(execv(path, arguments), EACCES);
    EXPECT(fchmod(file, 0755) == 0 && close(file) == 0);
    EXPECT(pipe(ends) == 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execv(path, arguments);
        _exit(99);
    }
    close(ends[1]);
    for (size_t had = 0; (got = read(ends[0], text + had, sizeof text - 1 - had)) > 0; had += (size_t)got)
        continue;
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    snprintf(wanted, sizeof wanted, "argument 0: /bin/hello\nargument 1: -x  y\nargument 2: %s\nargument 3: last\n", path);
    EXPECT(strstr(text, wanted));
    EXPECT(unlink(path) == 0);
}

CHECK(process_does_not_run_what_is_no_program)
{
    static char *volatile nowhere = (char *)8;
    char path[] = "/tmp/program.XXXXXX";
    char *arguments[] = {"name", NULL};
    int file = mkstemp(path);

    EXPECT(fchmod(file, 0755) == 0);
    EXPECT(write(file, "\177ELF\2\1\1", 7) == 7 && close(file) == 0);
    EXPECT_ERROR(execv(path, arguments), ENOEXEC);
    EXPECT(truncate(path, 0) == 0);
    EXPECT_ERROR(execv(path, arguments), ENOEXEC);
    EXPECT(unlink(path) == 0);
    EXPECT_ERROR(execv(path, arguments), ENOENT);
    EXPECT_ERROR(execve(nowhere, arguments, arguments), EFAULT);
    EXPECT_ERROR(execve("/bin/hello", (char **)nowhere, arguments), EFAULT);
}

CHECK(process_has_limits)
{
    struct rlimit limit, other;
    int status;
    pid_t child;

    EXPECT(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur <= limit.rlim_max);
    EXPECT_ERROR(getrlimit(99, &limit), EINVAL);
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0);
    other = (struct rlimit){limit.rlim_max, limit.rlim_max};
    other.rlim_cur = 1 << 20;
    if (limit.rlim_max >= other.rlim_cur) {
        EXPECT(setrlimit(RLIMIT_CORE, &other) == 0);
        EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur == other.rlim_cur);
    }
    other = (struct rlimit){2, 1};
    EXPECT_ERROR(setrlimit(RLIMIT_CORE, &other), EINVAL);
    child = fork();
    if (child == 0) {
        other = (struct rlimit){16 << 20, 16 << 20};
        if (setrlimit(RLIMIT_AS, &other) != 0)
            _exit(1);
        if (mmap(NULL, 64 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED || errno != ENOMEM)
            _exit(2);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
}

CHECK(process_with_too_many_arguments_is_refused)
{
    enum { LONG = 200 << 10 };
    char *arguments[] = {"hello", malloc(LONG), NULL};

    memset(arguments[1], 'x', LONG - 1);
    arguments[1][LONG - 1] = 0;
    EXPECT_ERROR(execv("/bin/hello", arguments), E2BIG);
}

CHECK(process_of_vfork_writes_to_its_parents_memory)
{
    static volatile int written;
    char *arguments[] = {"nothing", NULL};
    int status;
    pid_t child;

    written = 1;
    child = vfork();
    if (child == 0) {
        execv("/nothing/here", arguments);
        written = errno;
        _exit(1);
    }
    EXPECT(child > 0 && written == ENOENT);
    EXPECT(waitpid(child, &status, 0) == child && status == 1 << 8);
    EXPECT(posix_spawn(&child, "/nothing/here", NULL, NULL, arguments, arguments) == ENOENT);
}
