/* Checks of calls about processes: fork, exec, wait, exit, and who is who. */
#include <signal.h>
#include <string.h>
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
