/* spawn: `spawn KIND COUNT` makes COUNT children, one after the other, and waits for each. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static char *const hello[] = {"hello", NULL};

/* Waits for the child; whether it ended with this status. */
static int ends(pid_t child, int status)
{
    int found;
    return child > 0 && waitpid(child, &found, 0) == child && found == status;
}

static int by_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(3);
    return ends(child, 3 << 8);
}

static int by_exec(void)
{
    pid_t child = fork();
    if (child == 0) {
        execve("/bin/hello", hello, environ);
        _exit(1);
    }
    return ends(child, 0);
}

static int by_vfork(void)
{
    pid_t child = vfork();
    if (child == 0) {
        execve("/bin/hello", hello, environ);
        _exit(1);
    }
    return ends(child, 0);
}

/* No such file, no program, a directory. */
static int by_failing_exec(void)
{
    static const struct {
        const char *path;
        int error;
    } files[] = {{"/nosuch", ENOENT}, {"/etc/passwd", EACCES}, {"/bin", EACCES}};
    for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
        if (execve(files[i].path, hello, environ) != -1 || errno != files[i].error)
            return 0;
    return by_fork();
}

/* The child dies of a write to where nothing is. */
static int by_fault(void)
{
    static char *volatile nowhere = (char *)8;
    pid_t child = fork();
    if (child == 0)
        *nowhere = 1;
    return ends(child, 11);
}

/* Memory of all kinds, which the child has too and changes. */
static int with_memory(void)
{
    char *own = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *shared = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (own == MAP_FAILED || shared == MAP_FAILED)
        return 0;
    memset(own, 1, 65536);
    pid_t child = fork();
    if (child == 0) {
        own[5] = 7;
        shared[5] = own[6] + 1;
        _exit(own[5]);
    }
    int good = ends(child, 7 << 8) && own[5] == 1 && shared[5] == 2;
    return good && munmap(own, 65536) == 0 && munmap(shared, 65536) == 0;
}

/* The child leaves a child of its own behind, which nobody waits for. */
static int with_orphan(void)
{
    pid_t child = fork();
    if (child == 0) {
        if (fork() == 0)
            _exit(0);
        _exit(4);
    }
    return ends(child, 4 << 8);
}

static const struct {
    const char *name;
    int (*spawn)(void);
} kinds[] = {
    {"fork", by_fork},   {"exec", by_exec},      {"vfork", by_vfork},   {"failing", by_failing_exec},
    {"fault", by_fault}, {"memory", with_memory}, {"orphan", with_orphan},
};

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 3 && i < sizeof kinds / sizeof *kinds; i++) {
        if (strcmp(kinds[i].name, argv[1]) != 0)
            continue;
        for (int n = atoi(argv[2]); n > 0; n--) {
            if (!kinds[i].spawn()) {
                printf("spawn: %s, %d to go: %s\n", argv[1], n, strerror(errno));
                return 1;
            }
        }
        return 0;
    }
    fprintf(stderr, "usage: spawn fork|exec|vfork|failing|fault|memory|orphan COUNT\n");
    return 2;
}
