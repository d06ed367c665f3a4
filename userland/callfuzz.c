/*
 * callfuzz [CHILDREN [CALLS [SEED]]]: makes random system calls, and says that the system is still there.
 *
 * Each child makes its calls with arguments that are now and then almost right: descriptors, sizes, addresses at the
 * edge of a page, of the kernel, or nowhere. What ends it, or that it is ended after a while, is no fault. Left out is
 * what would end the machine, stop the caller for good, or make processes without end. On Linux it does nothing: what
 * root asks for at random is done there too.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, STATUS_USAGE = 2, NUMBERS = 470, PATIENCE_MS = 1000, STEP_MS = 5 };

static const int LEFT_OUT[] = {
    SYS_fork, SYS_vfork, SYS_clone, SYS_clone3, SYS_exit, SYS_exit_group, SYS_reboot, SYS_kill, SYS_tkill, SYS_tgkill,
    SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_umount2, SYS_mount, SYS_delete_module, SYS_settimeofday,
    SYS_clock_settime, SYS_sethostname, SYS_setpgid, SYS_setsid,
};

/* These nearly always end the caller, so they are made seldom. */
static const int DEADLY[] = {SYS_rt_sigreturn, SYS_munmap, SYS_mprotect, SYS_brk, SYS_execve, SYS_arch_prctl};

enum { SELDOM = 40 };

static unsigned long long state;

static unsigned long draw(unsigned long below)
{
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state >> 33) % below;
}

static char *room, *edge;

static const char *const PATHS[] = {
    "", ".", "/", "..", "/tmp", "/tmp/fuzz", "/tmp/fuzz/a", "/tmp/fuzz/b", "/tmp/fuzz/c/d", "/tmp/fuzz/l", "/proc",
    "/proc/self", "/proc/meminfo", "/dev/null", "/dev/zero", "/dev/full", "/dev/scull0", "/dev/scullp0", "\xff\xfe",
};

/* The first one often is a descriptor or a path. */
static unsigned long argument(int index)
{
    static const unsigned long ODD[] = {
        0, 1, 2, 7, 8, 16, 511, 512, 4095, 4096, 4097, 65536, 1UL << 20, 0x7fffffff, 0x80000000, 0xffffffff,
        1UL << 32, 1UL << 46, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0xffff888000000000,
        0xffffffff80000000, 0xfffffffffffff000, 0xfffffffffffffff0, 0xffffffffffffffff, 0x7fffffffffffffff,
    };

    if (index == 0 && draw(2))
        return draw(2) ? draw(12) : (unsigned long)PATHS[draw(sizeof PATHS / sizeof *PATHS)];
    switch (draw(10)) {
    case 0:
    case 1:
        return draw(12);
    case 2:
        return (unsigned long)-(long)draw(200);
    case 3:
        return ODD[draw(sizeof ODD / sizeof *ODD)];
    case 4:
        return (unsigned long)(edge - draw(64));
    case 5:
        return (unsigned long)PATHS[draw(sizeof PATHS / sizeof *PATHS)];
    case 6:
        return 1UL << draw(64);
    case 7:
        return draw(1UL << 20);
    default:
        return (unsigned long)(room + draw(PAGE));
    }
}

static int is_among(int number, const int *numbers, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (numbers[i] == number)
            return 1;
    return 0;
}

static int is_left_out(int number)
{
    if (is_among(number, DEADLY, sizeof DEADLY / sizeof *DEADLY))
        return draw(SELDOM) != 0;
    return is_among(number, LEFT_OUT, sizeof LEFT_OUT / sizeof *LEFT_OUT);
}

static void nothing(int signal)
{
    (void)signal;
}

static void fuzz(unsigned long calls)
{
    struct itimerval often = {{0, 20000}, {0, 20000}};
    struct sigaction action = {.sa_handler = nothing};
    int ends[2], null = open("/dev/null", O_RDWR);

    for (int i = 0; i < 3; i++)
        dup2(null, i);
    room = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    edge = room + 2 * PAGE;
    munmap(edge, PAGE);
    for (int i = 0; i < 2 * PAGE; i++)
        room[i] = (char)draw(4);
    mkdir("/tmp/fuzz", 0755);
    open("/tmp/fuzz", O_RDONLY | O_DIRECTORY);
    open("/tmp/fuzz/a", O_RDWR | O_CREAT, 0644);
    if (pipe2(ends, O_NONBLOCK) < 0)
        _exit(1);
    open("/proc/meminfo", O_RDONLY);
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    while (calls-- > 0) {
        int number = (int)draw(NUMBERS);

        if (!is_left_out(number))
            syscall(number, argument(0), argument(1), argument(2), argument(3), argument(4), argument(5));
    }
    _exit(0);
}

/* Waits for the child, and ends it after a while. */
static int wait_for(pid_t child)
{
    struct timespec step = {0, STEP_MS * 1000000};
    int status, waited = 0;

    while (waitpid(child, &status, WNOHANG) == 0) {
        nanosleep(&step, NULL);
        waited += STEP_MS;
        if (waited > PATIENCE_MS)
            kill(child, SIGKILL);
    }
    return status;
}

int main(int argc, char **argv)
{
    unsigned long children = argc > 1 ? strtoul(argv[1], NULL, 0) : 20;
    unsigned long calls = argc > 2 ? strtoul(argv[2], NULL, 0) : 2000;
    unsigned long seed = argc > 3 ? strtoul(argv[3], NULL, 0) : 1;
    unsigned long whole = 0;
    struct utsname name;

    if (argc > 4) {
        fprintf(stderr, "usage: callfuzz [CHILDREN [CALLS [SEED]]]\n");
        return STATUS_USAGE;
    }
    if (uname(&name) < 0 || strcmp(name.sysname, "Linux") == 0) {
        fprintf(stderr, "callfuzz: not on this system\n");
        return STATUS_USAGE;
    }
    for (unsigned long i = 0; i < children; i++) {
        pid_t child = fork();

        state = seed + i;
        if (child == 0)
            fuzz(calls);
        if (child < 0) {
            perror("callfuzz: fork");
            return 1;
        }
        if (wait_for(child) == 0)
            whole++;
    }
    printf("callfuzz: %lu children of seed %lu, %lu of them to their end\n", children, seed, whole);
    return 0;
}
