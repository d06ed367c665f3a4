/* Checks of calls about what is known of files: modes, times, owners, sizes, file systems. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "check.h"

static const char *const NAME = "/tmp/calls-attributes";

/* An address at which nothing is mapped, which the compiler does not see through. */
static char *volatile nowhere = (char *)16;

static int new_file(mode_t mode)
{
    int file = open(NAME, O_RDWR | O_CREAT | O_EXCL, mode);

    EXPECT(file >= 0);
    return file;
}

static struct stat status_of(const char *name)
{
    struct stat status;

    EXPECT(stat(name, &status) == 0);
    return status;
}

CHECK(attributes_of_a_new_file_obey_the_mask)
{
    mode_t old = umask(027);
    int file = new_file(0666);

    EXPECT(umask(old) == 027);
    EXPECT((status_of(NAME).st_mode & 07777) == 0640);
    EXPECT(fchmod(file, 0751) == 0 && (status_of(NAME).st_mode & 07777) == 0751);
    EXPECT(chmod(NAME, 04711) == 0 && (status_of(NAME).st_mode & 07777) == 04711);
    EXPECT(fchmodat(AT_FDCWD, NAME, 0600, 0) == 0 && (status_of(NAME).st_mode & 07777) == 0600);
    EXPECT_ERROR(chmod("/tmp/calls-missing", 0600), ENOENT);
    EXPECT_ERROR(fchmod(-1, 0600), EBADF);
    unlink(NAME);
}

CHECK(attributes_tell_size_and_blocks)
{
    struct stat status;
    static char page[4096];
    int file = new_file(0644);

    EXPECT(fstat(file, &status) == 0 && status.st_size == 0 && status.st_nlink == 1 && status.st_blksize == 4096);
    EXPECT(write(file, page, sizeof page) == sizeof page && write(file, page, 1) == 1);
    EXPECT(fstat(file, &status) == 0 && status.st_size == 4097 && status.st_uid == 0 && status.st_gid == 0);
    EXPECT(status.st_dev == status_of("/tmp").st_dev && status.st_dev != status_of("/proc").st_dev);
    EXPECT_ERROR(stat(NAME, (struct stat *)nowhere), EFAULT);
    EXPECT_ERROR(fstat(-1, &status), EBADF);
    unlink(NAME);
}

CHECK(attributes_by_statx_are_the_same)
{
    struct statx extended;
    struct stat status;
    int file = new_file(0604);

    EXPECT(write(file, "text", 4) == 4 && fstat(file, &status) == 0);
    EXPECT(statx(AT_FDCWD, NAME, 0, STATX_BASIC_STATS, &extended) == 0);
    EXPECT((extended.stx_mask & STATX_BASIC_STATS) == STATX_BASIC_STATS);
    EXPECT(extended.stx_size == 4 && extended.stx_mode == status.st_mode && extended.stx_ino == status.st_ino);
    EXPECT(extended.stx_mtime.tv_sec == status.st_mtim.tv_sec);
    EXPECT(statx(file, "", AT_EMPTY_PATH, STATX_SIZE, &extended) == 0 && extended.stx_size == 4);
    EXPECT_ERROR(statx(AT_FDCWD, "", 0, STATX_SIZE, &extended), ENOENT);
    EXPECT_ERROR(statx(AT_FDCWD, NAME, 0x8000000, STATX_SIZE, &extended), EINVAL);
    unlink(NAME);
}

CHECK(attributes_have_the_times_that_were_set)
{
    struct timespec times[2] = {{1000000001, 111}, {1000000002, 222}}, omit[2] = {{0, UTIME_OMIT}, {5, 6}};
    struct timeval old[2] = {{3, 4}, {5, 6}};
    struct utimbuf oldest = {7, 8};
    struct stat status;
    int file = new_file(0644);

    EXPECT(utimensat(AT_FDCWD, NAME, times, 0) == 0);
    status = status_of(NAME);
    EXPECT(status.st_atim.tv_sec == 1000000001 && status.st_atim.tv_nsec == 111);
    EXPECT(status.st_mtim.tv_sec == 1000000002 && status.st_mtim.tv_nsec == 222);
    EXPECT(futimens(file, omit) == 0);
    status = status_of(NAME);
    EXPECT(status.st_atim.tv_sec == 1000000001 && status.st_mtim.tv_sec == 5 && status.st_mtim.tv_nsec == 6);
    EXPECT(utimes(NAME, old) == 0 && status_of(NAME).st_mtim.tv_nsec == 6000);
    EXPECT(utime(NAME, &oldest) == 0 && status_of(NAME).st_atime == 7 && status_of(NAME).st_mtime == 8);
    EXPECT(utimensat(AT_FDCWD, NAME, NULL, 0) == 0 && status_of(NAME).st_mtime >= time(NULL) - 5);
    times[0].tv_nsec = 2000000000;
    EXPECT_ERROR(utimensat(AT_FDCWD, NAME, times, 0), EINVAL);
    EXPECT_ERROR(utimensat(AT_FDCWD, "/tmp/calls-missing", NULL, 0), ENOENT);
    unlink(NAME);
}

CHECK(attributes_change_with_the_content)
{
    struct timespec past[2] = {{1000, 0}, {1000, 0}};
    int file = new_file(0644);

    EXPECT(futimens(file, past) == 0 && status_of(NAME).st_mtime == 1000 && status_of(NAME).st_ctime > 1000);
    EXPECT(write(file, "text", 4) == 4 && status_of(NAME).st_mtime > 1000);
    EXPECT(futimens(file, past) == 0 && ftruncate(file, 1) == 0 && status_of(NAME).st_mtime > 1000);
    unlink(NAME);
}

CHECK(attributes_have_owners)
{
    int file = new_file(0644);

    EXPECT(chown(NAME, 0, 0) == 0 && lchown(NAME, -1, -1) == 0 && fchown(file, 0, -1) == 0);
    EXPECT(fchownat(AT_FDCWD, NAME, 0, 0, AT_SYMLINK_NOFOLLOW) == 0);
    EXPECT_ERROR(chown("/tmp/calls-missing", 0, 0), ENOENT);
    unlink(NAME);
}

CHECK(attributes_give_root_access)
{
    int file = new_file(0600);

    EXPECT(access(NAME, R_OK | W_OK) == 0);
    EXPECT_ERROR(access(NAME, X_OK), EACCES);
    EXPECT(fchmod(file, 0100) == 0 && access(NAME, X_OK) == 0 && access(NAME, R_OK) == 0);
    EXPECT(access("/tmp", X_OK) == 0);
    EXPECT_ERROR(access("/tmp/calls-missing", F_OK), ENOENT);
    EXPECT_ERROR(access(NAME, 77), EINVAL);
    unlink(NAME);
}

CHECK(attributes_of_file_systems_are_told)
{
    struct statfs system;
    int file = new_file(0600);

    EXPECT(statfs("/tmp", &system) == 0 && system.f_bsize == 4096 && system.f_namelen == 255);
    EXPECT(system.f_blocks > 0 && system.f_bfree <= system.f_blocks);
    EXPECT(fstatfs(file, &system) == 0 && system.f_bsize == 4096);
    EXPECT(statfs("/proc", &system) == 0 && system.f_type == 0x9fa0);
    EXPECT_ERROR(statfs("/tmp/calls-missing", &system), ENOENT);
    EXPECT_ERROR(statfs("/tmp", (struct statfs *)nowhere), EFAULT);
    EXPECT_ERROR(mount("none", "/tmp", "calls-no-such-kind", 0, NULL), ENODEV);
    EXPECT_ERROR(umount("/tmp/calls-missing"), ENOENT);
    EXPECT_ERROR(umount(NAME), EINVAL);
    unlink(NAME);
}
