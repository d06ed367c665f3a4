/* Checks of calls about the system: time, names, numbers, who the user is, random bytes. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

/* An address at which nothing is mapped, which the compiler does not see through. */
static char *volatile nowhere = (char *)16;

/* A count that the compiler does not see through. */
static volatile int minus_one = -1;

static long long now(clockid_t clock)
{
    struct timespec time;

    EXPECT(clock_gettime(clock, &time) == 0 && time.tv_nsec >= 0 && time.tv_nsec < 1000000000);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

CHECK(system_clocks_go_forward)
{
    long long before = now(CLOCK_MONOTONIC), real = now(CLOCK_REALTIME);
    struct timespec resolution, time;
    struct timeval old;
    time_t seconds;

    for (int i = 0; i < 1000; i++) {
        long long after = now(CLOCK_MONOTONIC);

        EXPECT(after >= before);
        before = after;
    }
    EXPECT(real > 1600000000LL * 1000000000);
    EXPECT(gettimeofday(&old, NULL) == 0 && old.tv_usec < 1000000);
    EXPECT((long long)old.tv_sec - real / 1000000000 <= 1);
    EXPECT(syscall(SYS_time, &seconds) == seconds && seconds >= old.tv_sec && seconds - old.tv_sec <= 1);
    EXPECT(clock_getres(CLOCK_MONOTONIC, &resolution) == 0 && resolution.tv_sec == 0 && resolution.tv_nsec > 0);
    EXPECT(syscall(SYS_clock_getres, CLOCK_REALTIME, NULL) == 0);
    EXPECT(now(CLOCK_BOOTTIME) > 0 && now(CLOCK_MONOTONIC_RAW) > 0 && now(CLOCK_REALTIME_COARSE) > 0);
    EXPECT(now(CLOCK_PROCESS_CPUTIME_ID) >= 0 && now(CLOCK_THREAD_CPUTIME_ID) >= 0);
    EXPECT_ERROR(clock_gettime(77, &time), EINVAL);
    EXPECT_ERROR((int)syscall(SYS_clock_gettime, CLOCK_REALTIME, nowhere), EFAULT);
    EXPECT_ERROR((int)syscall(SYS_gettimeofday, nowhere, NULL), EFAULT);
}

CHECK(system_sleeps_as_long_as_it_is_told)
{
    struct timespec nap = {0, 30000000}, wrong = {0, 1000000000}, negative = {-1, 0}, none = {0, 0}, until;
    long long before = now(CLOCK_MONOTONIC);

    EXPECT(nanosleep(&nap, NULL) == 0);
    EXPECT(now(CLOCK_MONOTONIC) - before >= 30000000);
    before = now(CLOCK_MONOTONIC);
    EXPECT(clock_nanosleep(CLOCK_REALTIME, 0, &nap, NULL) == 0);
    EXPECT(now(CLOCK_MONOTONIC) - before >= 29000000);
    EXPECT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    before = now(CLOCK_MONOTONIC);
    until.tv_nsec += 30000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    EXPECT(now(CLOCK_MONOTONIC) - before >= 29000000);
    EXPECT(clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == 0);
    EXPECT(nanosleep(&none, NULL) == 0);
    EXPECT_ERROR(nanosleep(&wrong, NULL), EINVAL);
    EXPECT_ERROR(nanosleep(&negative, NULL), EINVAL);
    EXPECT_ERROR((int)syscall(SYS_nanosleep, nowhere, NULL), EFAULT);
    EXPECT(clock_nanosleep(77, 0, &nap, NULL) == EINVAL);
}

CHECK(system_has_a_name)
{
    struct utsname name;

    EXPECT(uname(&name) == 0 && strcmp(name.machine, "x86_64") == 0);
    EXPECT(name.sysname[0] && name.release[0] && name.version[0] && name.nodename[0]);
    EXPECT_ERROR((int)syscall(SYS_uname, nowhere), EFAULT);
}

CHECK(system_tells_how_much_memory_it_has)
{
    struct sysinfo info;

    EXPECT(sysinfo(&info) == 0 && info.mem_unit > 0 && info.totalram > 0 && info.freeram < info.totalram);
    EXPECT(info.uptime >= 0 && info.procs > 0);
    EXPECT_ERROR((int)syscall(SYS_sysinfo, nowhere), EFAULT);
}

CHECK(system_gives_random_bytes)
{
    unsigned char a[300] = {0}, b[300] = {0};
    int file = open("/dev/urandom", O_RDONLY), other = 0;

    EXPECT(getrandom(a, sizeof a, 0) == sizeof a && getrandom(b, sizeof b, GRND_NONBLOCK) == sizeof b);
    EXPECT(memcmp(a, b, sizeof a) != 0);
    for (unsigned i = 1; i < sizeof a; i++)
        other += a[i] != a[0];
    EXPECT(other > 200);
    EXPECT(getrandom(a, 0, 0) == 0);
    EXPECT_ERROR(getrandom(a, 1, 0x77), EINVAL);
    EXPECT_ERROR(getrandom(nowhere, 8, 0), EFAULT);
    EXPECT(read(file, b, sizeof b) == sizeof b && memcmp(a, b, sizeof a) != 0);
}

CHECK(system_starts_checks_as_root)
{
    gid_t groups[64];
    uid_t a = 1, b = 1, c = 1;

    EXPECT(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0);
    EXPECT(setuid(0) == 0 && setgid(0) == 0 && setreuid(0, -1) == 0 && setresgid(-1, 0, -1) == 0);
    EXPECT(getresuid(&a, &b, &c) == 0 && a == 0 && b == 0 && c == 0);
    EXPECT(getgroups(0, NULL) >= 0 && getgroups(64, groups) >= 0);
    EXPECT_ERROR(getgroups(minus_one, groups), EINVAL);
    EXPECT_ERROR((int)syscall(SYS_setuid, -1), EINVAL);
}

CHECK(system_keeps_a_process_name)
{
    char name[16] = "";

    EXPECT(prctl(PR_SET_NAME, "calls-with-a-long-name") == 0);
    EXPECT(prctl(PR_GET_NAME, name) == 0 && strcmp(name, "calls-with-a-lo") == 0);
    EXPECT_ERROR(prctl(PR_SET_NAME, nowhere), EFAULT);
    EXPECT_ERROR(prctl(7777), EINVAL);
}

CHECK(system_has_processors)
{
    unsigned long set[128] = {0};
    unsigned cpu = 99, node = 99;
    long bytes = syscall(SYS_sched_getaffinity, 0, sizeof set, set);

    EXPECT(bytes > 0 && bytes % 8 == 0 && set[0] != 0);
    EXPECT(syscall(SYS_getcpu, &cpu, &node, NULL) == 0 && cpu < 99 && node == 0);
    EXPECT_ERROR((int)syscall(SYS_sched_getaffinity, 0, 3, set), EINVAL);
    EXPECT_ERROR((int)syscall(SYS_sched_getaffinity, 0, sizeof set, nowhere), EFAULT);
    EXPECT_ERROR((int)syscall(SYS_sched_getaffinity, 999999, sizeof set, set), ESRCH);
    EXPECT(sched_yield() == 0);
    EXPECT(syscall(SYS_getpriority, PRIO_PROCESS, 0) == 20);
    EXPECT_ERROR((int)syscall(SYS_getpriority, 9, 0), EINVAL);
}

CHECK(system_keeps_the_thread_pointer)
{
    unsigned long base = 0;

    EXPECT(syscall(SYS_arch_prctl, 0x1003, &base) == 0 && base != 0);
    EXPECT(syscall(SYS_arch_prctl, 0x1002, base) == 0);
    EXPECT_ERROR((int)syscall(SYS_arch_prctl, 0x1002, 0x8000000000000000), EPERM);
    EXPECT_ERROR((int)syscall(SYS_arch_prctl, 0x1003, nowhere), EFAULT);
    EXPECT_ERROR((int)syscall(SYS_arch_prctl, 0x7777, base), EINVAL);
    EXPECT(syscall(SYS_set_tid_address, &base) == getpid());
}

CHECK(system_has_nobody_to_wake)
{
    int word = 5;

    EXPECT(syscall(SYS_futex, &word, 1, 1) == 0);
    EXPECT(syscall(SYS_futex, &word, 129, 1) == 0);
    EXPECT_ERROR((int)syscall(SYS_futex, &word, 128, 4, NULL), EAGAIN);
    EXPECT_ERROR((int)syscall(SYS_futex, nowhere, 0, 4, NULL), EFAULT);
    EXPECT_ERROR((int)syscall(SYS_futex, (char *)&word + 1, 1, 1), EINVAL);
}

CHECK(system_refuses_what_it_does_not_have)
{
    struct stat status;

    EXPECT(syscall(9999) == -1 && errno == ENOSYS);
    EXPECT(syscall(-1) == -1 && errno == ENOSYS);
    EXPECT_ERROR(socket(77, SOCK_STREAM, 0), EAFNOSUPPORT);
    /* Linux may have been built without modules. */
    EXPECT(syscall(SYS_init_module, nowhere, 100, "") == -1 && (errno == EFAULT || errno == ENOSYS));
    EXPECT(syscall(SYS_delete_module, "calls-no-such-module", 0) == -1 && (errno == ENOENT || errno == ENOSYS));
    EXPECT_ERROR((int)syscall(SYS_reboot, 1, 2, RB_POWER_OFF, 0), EINVAL);
    EXPECT(stat("/", &status) == 0);
}

CHECK(system_counts_time_that_was_used)
{
    struct tms used;
    clock_t ticks = times(&used);

    EXPECT(ticks != (clock_t)-1 && used.tms_utime >= 0);
    EXPECT_ERROR((int)syscall(SYS_times, nowhere), EFAULT);
}
