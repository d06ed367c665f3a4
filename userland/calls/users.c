/* Checks of users other than root: who they are, what they may do with files, processes and the system. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utime.h>

#include "check.h"

enum { ONE = 1000, OTHER = 1001, THIRD = 1002, NOBODY = 65534 };

/* A directory of the check's own. */
static char room_name[64];

/* An empty directory with this mode, which becomes the current one. */
static void enter(mode_t mode)
{
    umask(0);
    snprintf(room_name, sizeof room_name, "/tmp/calls-users-%d", (int)getpid());
    EXPECT(mkdir(room_name, mode) == 0 && chmod(room_name, mode) == 0 && chdir(room_name) == 0);
}

static void leave(void)
{
    EXPECT(chdir("/") == 0 && rmdir(room_name) == 0);
}

static void make(const char *name, mode_t mode, uid_t user)
{
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL, mode);

    EXPECT(file >= 0 && fchmod(file, mode) == 0 && fchown(file, user, user) == 0 && close(file) == 0);
}

static void become(uid_t user)
{
    EXPECT(setgroups(0, NULL) == 0 && setgid(user) == 0 && setuid(user) == 0);
}

/* Runs a function as another user, in a process of its own. */
static void as(uid_t user, void (*function)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        become(user);
        function();
        _exit(0);
    }
    EXPECT(child > 0 && waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int is(uid_t real, uid_t effective, uid_t saved)
{
    uid_t a, b, c;

    return getresuid(&a, &b, &c) == 0 && a == real && b == effective && c == saved && getuid() == real &&
           geteuid() == effective;
}

CHECK(users_change_between_their_numbers)
{
    EXPECT(is(0, 0, 0) && seteuid(ONE) == 0 && is(0, ONE, 0) && seteuid(0) == 0 && is(0, 0, 0));
    EXPECT(setresuid(ONE, OTHER, THIRD) == 0 && is(ONE, OTHER, THIRD));
    EXPECT_ERROR(setresuid(-1, NOBODY, -1), EPERM);
    EXPECT_ERROR(setuid(0), EPERM);
    EXPECT_ERROR(setreuid(THIRD, -1), EPERM);
    EXPECT(is(ONE, OTHER, THIRD));
    EXPECT(setuid(THIRD) == 0 && is(ONE, THIRD, THIRD));
    EXPECT(setreuid(THIRD, ONE) == 0 && is(THIRD, ONE, ONE));
    EXPECT(setresuid(-1, -1, -1) == 0 && is(THIRD, ONE, ONE));
}

CHECK(users_have_groups_that_root_gives_them)
{
    gid_t groups[2] = {7, 8}, got[4] = {0}, a, b, c;

    EXPECT(setgroups(2, groups) == 0 && getgroups(0, NULL) == 2 && getgroups(4, got) == 2 && got[1] == 8);
    EXPECT_ERROR(getgroups(1, got), EINVAL);
    EXPECT(setresgid(ONE, OTHER, THIRD) == 0 && getresgid(&a, &b, &c) == 0 && a == ONE && b == OTHER && c == THIRD);
    EXPECT(setuid(ONE) == 0);
    EXPECT_ERROR(setgroups(0, NULL), EPERM);
    EXPECT_ERROR(setgid(0), EPERM);
    EXPECT(setregid(-1, ONE) == 0 && getegid() == ONE && getgid() == ONE);
}

static void look_at_myself(void)
{
    char text[2000] = "";
    struct stat stat_of;
    int file = open("/proc/self/status", O_RDONLY);

    EXPECT(file >= 0 && read(file, text, sizeof text - 1) > 0);
    EXPECT(strstr(text, "\nUid:\t1000\t1000\t1000\t1000\n") && strstr(text, "\nGid:\t1000\t1000\t1000\t1000\n"));
    EXPECT(stat("/proc/self/", &stat_of) == 0 && stat_of.st_uid == ONE && stat_of.st_gid == ONE);
}

CHECK(users_are_what_proc_says)
{
    as(ONE, look_at_myself);
}

static void make_files(void)
{
    struct stat stat_of;
    int file = open("mine", O_RDWR | O_CREAT | O_EXCL, 0400);

    /* Who makes a file has it open, whatever its mode. */
    EXPECT(file >= 0 && write(file, "x", 1) == 1);
    EXPECT(fstat(file, &stat_of) == 0 && stat_of.st_uid == ONE && stat_of.st_gid == ONE);
    EXPECT_ERROR(open("mine", O_WRONLY), EACCES);
    EXPECT(mkdir("directory", 0755) == 0 && symlink("mine", "link") == 0 && mkfifo("pipe", 0600) == 0);
    EXPECT(stat("directory", &stat_of) == 0 && stat_of.st_uid == ONE);
    EXPECT(lstat("link", &stat_of) == 0 && stat_of.st_uid == ONE && stat_of.st_gid == ONE);
    EXPECT(stat("pipe", &stat_of) == 0 && stat_of.st_uid == ONE);
    EXPECT(chmod("mine", 0600) == 0 && open("mine", O_WRONLY) >= 0);
    EXPECT(chown("mine", ONE, ONE) == 0 && chown("mine", -1, -1) == 0);
    EXPECT_ERROR(chown("mine", OTHER, -1), EPERM);
    EXPECT_ERROR(chown("mine", -1, OTHER), EPERM);
    EXPECT_ERROR(mknod("device", S_IFCHR | 0666, makedev(1, 3)), EPERM);
    EXPECT(rmdir("directory") == 0 && unlink("link") == 0 && unlink("pipe") == 0);
    EXPECT(rename("mine", "still mine") == 0 && unlink("still mine") == 0);
}

CHECK(users_own_what_they_make)
{
    enter(01777);
    as(ONE, make_files);
    leave();
}

static void use_others_files(void)
{
    struct timeval times[2] = {{1, 0}, {2, 0}};
    struct timespec now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};

    EXPECT(open("read", O_RDONLY) >= 0 && access("read", R_OK) == 0 && access("read", F_OK) == 0);
    EXPECT_ERROR(open("read", O_WRONLY), EACCES);
    EXPECT_ERROR(open("read", O_RDONLY | O_TRUNC), EACCES);
    EXPECT_ERROR(open("read", O_RDWR | O_CREAT, 0666), EACCES);
    EXPECT_ERROR(access("read", W_OK), EACCES);
    EXPECT_ERROR(access("read", X_OK), EACCES);
    EXPECT_ERROR(truncate("read", 0), EACCES);
    EXPECT_ERROR(utime("read", NULL), EACCES);
    EXPECT_ERROR(utimes("read", times), EPERM);
    EXPECT_ERROR(chmod("read", 0666), EPERM);
    EXPECT_ERROR(chown("read", OTHER, -1), EPERM);
    EXPECT_ERROR(execl("read", "read", NULL), EACCES);
    EXPECT_ERROR(open("closed", O_RDONLY), EACCES);
    EXPECT(utimensat(AT_FDCWD, "write", now, 0) == 0);
    EXPECT(open("write", O_WRONLY) >= 0 && utime("write", NULL) == 0 && truncate("write", 3) == 0);
    EXPECT_ERROR(open("write", O_RDONLY), EACCES);
    EXPECT_ERROR(utimes("write", times), EPERM);
    EXPECT_ERROR(unlink("read"), EPERM);
    EXPECT_ERROR(rename("read", "mine"), EPERM);
    EXPECT_ERROR(unlink("/proc/version"), EACCES);
}

CHECK(users_do_with_others_files_what_the_mode_says)
{
    enter(01777);
    make("read", 0644, ONE);
    make("closed", 0600, ONE);
    make("write", 0622, ONE);
    as(OTHER, use_others_files);
    EXPECT(chmod("closed", 0) == 0 && open("closed", O_RDWR) >= 0 && access("closed", R_OK | W_OK) == 0);
    EXPECT_ERROR(access("closed", X_OK), EACCES);
    EXPECT(unlink("read") == 0 && unlink("closed") == 0 && unlink("write") == 0);
    leave();
}

static void use_a_member_of_the_group(void)
{
    EXPECT_ERROR(open("group", O_RDONLY), EACCES);
}

CHECK(users_have_the_first_rights_that_fit)
{
    gid_t group = 7;
    pid_t child;
    int status;

    enter(0755);
    make("group", 0604, ONE);
    EXPECT(chown("group", OTHER, ONE) == 0);
    as(ONE, use_a_member_of_the_group);
    EXPECT(chown("group", 0, group) == 0 && chmod("group", 0660) == 0);
    child = fork();
    if (child == 0) {
        EXPECT(setgroups(1, &group) == 0 && setgid(ONE) == 0 && setuid(ONE) == 0);
        EXPECT(open("group", O_RDWR) >= 0);
        _exit(0);
    }
    EXPECT(waitpid(child, &status, 0) == child && status == 0);
    EXPECT(unlink("group") == 0);
    leave();
}

static void use_directories(void)
{
    EXPECT_ERROR(open("closed/file", O_RDONLY), EACCES);
    EXPECT_ERROR(chdir("closed"), EACCES);
    EXPECT_ERROR(access("closed/.", F_OK), EACCES);
    EXPECT_ERROR(access("closed/nothing", F_OK), EACCES);
    EXPECT_ERROR(open("closed", O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT(open("hidden/file", O_RDONLY) >= 0);
    EXPECT_ERROR(open("hidden", O_RDONLY | O_DIRECTORY), EACCES);
    EXPECT_ERROR(open("hidden/new", O_WRONLY | O_CREAT, 0666), EACCES);
    EXPECT_ERROR(mkdir("hidden/new", 0777), EACCES);
    EXPECT_ERROR(symlink("x", "hidden/new"), EACCES);
    EXPECT_ERROR(link("hidden/file", "hidden/new"), EACCES);
    EXPECT_ERROR(unlink("hidden/file"), EACCES);
    EXPECT_ERROR(rename("hidden/file", "file"), EACCES);
    EXPECT_ERROR(rmdir("hidden"), EACCES);
    EXPECT_ERROR(open("/new", O_WRONLY | O_CREAT, 0666), EACCES);
}

CHECK(users_go_through_open_directories)
{
    enter(0755);
    EXPECT(mkdir("closed", 0700) == 0 && mkdir("hidden", 0711) == 0);
    make("closed/file", 0666, 0);
    make("hidden/file", 0666, 0);
    as(ONE, use_directories);
    EXPECT(unlink("closed/file") == 0 && unlink("hidden/file") == 0 && rmdir("closed") == 0 && rmdir("hidden") == 0);
    leave();
}

static pid_t target;

static void send_to_the_other(void)
{
    union sigval value = {0};
    pid_t own = fork();

    EXPECT_ERROR(kill(target, 0), EPERM);
    EXPECT_ERROR(kill(target, SIGKILL), EPERM);
    EXPECT_ERROR(kill(-target, SIGKILL), EPERM);
    EXPECT_ERROR(sigqueue(target, SIGUSR1, value), EPERM);
    EXPECT_ERROR(kill(getppid(), SIGTERM), EPERM);
    EXPECT(kill(target, SIGCONT) == 0); /* of the same session */
    if (own == 0) {
        pause();
        _exit(1);
    }
    EXPECT(kill(own, 0) == 0 && kill(own, SIGKILL) == 0 && waitpid(own, NULL, 0) == own);
}

CHECK(users_send_signals_to_their_own)
{
    int status;

    target = fork();
    if (target == 0) {
        setpgid(0, 0);
        become(OTHER);
        pause();
        _exit(1);
    }
    usleep(50000);
    as(ONE, send_to_the_other);
    EXPECT(kill(target, SIGTERM) == 0 && waitpid(target, &status, 0) == target);
    EXPECT(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
}

/* Not for want of rights alone: some Linux has no such call. */
static int is_refused(long result)
{
    return result == -1 && (errno == EPERM || errno == ENOSYS);
}

static void change_the_system(void)
{
    struct rlimit limit;
    struct timeval time = {1, 0};

    EXPECT_ERROR(mount("none", "/tmp", "tmpfs", 0, NULL), EPERM);
    EXPECT_ERROR(umount2("/tmp", 0), EPERM);
    EXPECT_ERROR(sethostname("theirs", 6), EPERM);
    EXPECT_ERROR(settimeofday(&time, NULL), EPERM);
    EXPECT(is_refused(syscall(SYS_init_module, "", 0, "")));
    EXPECT(is_refused(syscall(SYS_delete_module, "nothing", O_NONBLOCK)));
    EXPECT(is_refused(syscall(SYS_swapon, "/dev/null", 0)));
    EXPECT(is_refused(syscall(SYS_swapoff, "/dev/null")));
    EXPECT_ERROR((int)syscall(SYS_reboot, 0xfee1dead, 672274793, 0, NULL), EPERM);
    EXPECT_ERROR((int)syscall(SYS_syslog, 5, NULL, 0), EPERM);
    EXPECT(getrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_cur = limit.rlim_max = 1000;
    EXPECT(setrlimit(RLIMIT_CORE, &limit) == 0);
    limit.rlim_max = 2000;
    EXPECT_ERROR(setrlimit(RLIMIT_CORE, &limit), EPERM);
    EXPECT_ERROR(open("/proc/sys/vm/page-cluster", O_WRONLY), EACCES);
}

CHECK(users_leave_the_system_as_it_is)
{
    as(ONE, change_the_system);
}
