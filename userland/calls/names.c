/* Checks of calls about names: open's flags, directories, links, rename, and paths from open directories. */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "check.h"

/* A directory of the check's own. */
static char room_name[64];

/* An address at which nothing is mapped, which the compiler does not see through. */
static char *volatile nowhere = (char *)16;

/* An empty directory, which becomes the current one. */
static void enter(void)
{
    snprintf(room_name, sizeof room_name, "/tmp/calls-names-%d", (int)getpid());
    EXPECT(mkdir(room_name, 0755) == 0);
    EXPECT(chdir(room_name) == 0);
}

static void leave(void)
{
    EXPECT(chdir("/") == 0);
    EXPECT(rmdir(room_name) == 0);
}

static void make(const char *name)
{
    int file = open(name, O_WRONLY | O_CREAT | O_EXCL, 0644);

    EXPECT(file >= 0);
    EXPECT(write(file, name, strlen(name)) == (ssize_t)strlen(name));
    close(file);
}

static int exists(const char *name)
{
    return access(name, F_OK) == 0;
}

CHECK(names_are_opened_as_the_flags_say)
{
    enter();
    make("a");
    EXPECT_ERROR(open("a", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    EXPECT_ERROR(open("missing", O_RDONLY), ENOENT);
    EXPECT_ERROR(open("missing/b", O_WRONLY | O_CREAT, 0644), ENOENT);
    EXPECT_ERROR(open("a/b", O_WRONLY | O_CREAT, 0644), ENOTDIR);
    EXPECT_ERROR(open("a", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_ERROR(open(".", O_WRONLY), EISDIR);
    EXPECT_ERROR(open(".", O_RDWR), EISDIR);
    EXPECT_ERROR(open(".", O_RDONLY | O_CREAT, 0644), EISDIR);
    EXPECT_ERROR(open("", O_RDONLY), ENOENT);
    EXPECT(open(".", O_RDONLY | O_DIRECTORY) >= 0);
    EXPECT(close(creat("b", 0600)) == 0);
    EXPECT(unlink("a") == 0 && unlink("b") == 0);
    leave();
}

CHECK(names_that_are_too_long_are_refused)
{
    static char name[PATH_MAX + 2];

    memset(name, 'a', sizeof name - 1);
    EXPECT_ERROR(open(name, O_RDONLY), ENAMETOOLONG);
    EXPECT_ERROR(mkdir(name, 0755), ENAMETOOLONG);
    name[NAME_MAX + 1] = 0;
    EXPECT_ERROR(open(name, O_RDONLY | O_CREAT, 0644), ENAMETOOLONG);
    EXPECT_ERROR(open(nowhere, O_RDONLY), EFAULT);
    EXPECT_ERROR(mkdir(nowhere, 0755), EFAULT);
    EXPECT_ERROR(mkdir((char *)-16, 0755), EFAULT);
    EXPECT_ERROR(rename("/tmp", nowhere), EFAULT);
}

CHECK(names_of_directories_come_and_go)
{
    struct stat status;

    enter();
    EXPECT(mkdir("d", 0700) == 0);
    EXPECT(stat("d", &status) == 0 && S_ISDIR(status.st_mode) && (status.st_mode & 07777) == 0700);
    EXPECT_ERROR(mkdir("d", 0700), EEXIST);
    EXPECT_ERROR(mkdir("missing/d", 0700), ENOENT);
    EXPECT(mkdir("d/e/", 0700) == 0);
    EXPECT_ERROR(rmdir("d"), ENOTEMPTY);
    EXPECT_ERROR(unlink("d/e"), EISDIR);
    EXPECT_ERROR(rmdir("d/e/."), EINVAL);
    EXPECT_ERROR(rmdir("d/e/.."), ENOTEMPTY);
    make("d/f");
    EXPECT_ERROR(rmdir("d/f"), ENOTDIR);
    EXPECT_ERROR(rmdir("/"), EBUSY);
    EXPECT(unlink("d/f") == 0);
    EXPECT(rmdir("d/e") == 0 && rmdir("d") == 0);
    EXPECT_ERROR(rmdir("d"), ENOENT);
    EXPECT_ERROR(mkdir("/", 0700), EEXIST);
    leave();
}

CHECK(names_of_one_file_are_links)
{
    struct stat a, b;

    enter();
    make("a");
    EXPECT(link("a", "b") == 0);
    EXPECT(stat("a", &a) == 0 && stat("b", &b) == 0);
    EXPECT(a.st_ino == b.st_ino && a.st_dev == b.st_dev && a.st_nlink == 2);
    EXPECT_ERROR(link("a", "b"), EEXIST);
    EXPECT_ERROR(link("missing", "c"), ENOENT);
    EXPECT_ERROR(link(".", "c"), EPERM);
    EXPECT(unlink("a") == 0 && stat("b", &b) == 0 && b.st_nlink == 1);
    EXPECT(unlink("b") == 0);
    leave();
}

CHECK(names_that_are_symbolic_links_are_followed_or_not)
{
    char text[16];
    struct stat status;

    enter();
    make("a");
    EXPECT(symlink("a", "l") == 0 && symlink("missing", "dangling") == 0 && symlink("loop", "loop") == 0);
    EXPECT_ERROR(symlink("a", "l"), EEXIST);
    EXPECT_ERROR(symlink("", "empty"), ENOENT);
    EXPECT(readlink("l", text, sizeof text) == 1 && text[0] == 'a');
    EXPECT(readlink("dangling", text, 3) == 3 && memcmp(text, "mis", 3) == 0);
    EXPECT_ERROR(readlink("a", text, sizeof text), EINVAL);
    EXPECT_ERROR(readlink("l", text, 0), EINVAL);
    EXPECT_ERROR(readlink("none", text, sizeof text), ENOENT);
    EXPECT(lstat("l", &status) == 0 && S_ISLNK(status.st_mode) && status.st_size == 1);
    EXPECT(stat("l", &status) == 0 && S_ISREG(status.st_mode));
    EXPECT_ERROR(stat("dangling", &status), ENOENT);
    EXPECT(lstat("dangling", &status) == 0);
    EXPECT_ERROR(stat("loop", &status), ELOOP);
    EXPECT_ERROR(open("l", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_ERROR(open("dangling", O_WRONLY | O_CREAT | O_EXCL, 0644), EEXIST);
    EXPECT(close(open("dangling", O_WRONLY | O_CREAT, 0644)) == 0 && exists("missing"));
    EXPECT(unlink("l") == 0 && exists("a"));
    EXPECT(symlink(".", "here") == 0 && exists("here/a") && exists("here/here/a"));
    EXPECT(unlink("here") == 0 && unlink("a") == 0 && unlink("missing") == 0);
    EXPECT(unlink("dangling") == 0 && unlink("loop") == 0);
    leave();
}

CHECK(names_are_renamed)
{
    struct stat a, b;

    enter();
    make("a");
    EXPECT(stat("a", &a) == 0);
    EXPECT(rename("a", "b") == 0 && !exists("a") && stat("b", &b) == 0 && a.st_ino == b.st_ino);
    make("a");
    EXPECT(rename("b", "a") == 0 && !exists("b"));
    EXPECT(rename("a", "a") == 0 && exists("a"));
    EXPECT_ERROR(rename("missing", "a"), ENOENT);
    EXPECT(mkdir("d", 0755) == 0 && mkdir("e", 0755) == 0 && mkdir("d/inner", 0755) == 0);
    EXPECT_ERROR(rename("a", "d"), EISDIR);
    EXPECT_ERROR(rename("d", "a"), ENOTDIR);
    EXPECT_ERROR(rename("d", "d/inner/x"), EINVAL);
    EXPECT_ERROR(rename("e", "d"), ENOTEMPTY);
    EXPECT(rename("d", "e") == 0 && exists("e/inner") && !exists("d"));
    EXPECT(rename("e/inner", "inner") == 0 && rename("a", "inner/a") == 0);
    EXPECT_ERROR(rename("inner", "/dev/inner"), EXDEV);
    EXPECT_ERROR(rename("e/.", "x"), EBUSY);
    make("b");
    EXPECT_ERROR(renameat2(AT_FDCWD, "b", AT_FDCWD, "inner/a", RENAME_NOREPLACE), EEXIST);
    EXPECT(renameat2(AT_FDCWD, "b", AT_FDCWD, "c", RENAME_NOREPLACE) == 0);
    EXPECT_ERROR(renameat2(AT_FDCWD, "c", AT_FDCWD, "b", 0x100), EINVAL);
    EXPECT(unlink("c") == 0 && unlink("inner/a") == 0 && rmdir("inner") == 0 && rmdir("e") == 0);
    leave();
}

CHECK(names_start_at_an_open_directory)
{
    struct stat status;
    char text[8];
    int room, file;

    enter();
    room = open(room_name, O_RDONLY | O_DIRECTORY);
    EXPECT(room >= 0 && chdir("/") == 0);
    EXPECT(mkdirat(room, "d", 0755) == 0);
    file = openat(room, "d/a", O_RDWR | O_CREAT, 0644);
    EXPECT(file >= 0 && faccessat(room, "d/a", F_OK, 0) == 0);
    EXPECT(fstatat(room, "d/a", &status, 0) == 0 && S_ISREG(status.st_mode));
    EXPECT(fstatat(room, "", &status, AT_EMPTY_PATH) == 0 && S_ISDIR(status.st_mode));
    EXPECT_ERROR(fstatat(room, "", &status, 0), ENOENT);
    EXPECT_ERROR(fstatat(room, "d", &status, 0x8000000), EINVAL);
    EXPECT(fstatat(-1, "/tmp", &status, 0) == 0);
    EXPECT_ERROR(fstatat(-1, "d", &status, 0), EBADF);
    EXPECT_ERROR(fstatat(file, "d", &status, 0), ENOTDIR);
    EXPECT(linkat(room, "d/a", room, "b", 0) == 0 && symlinkat("b", room, "l") == 0);
    EXPECT(readlinkat(room, "l", text, sizeof text) == 1);
    EXPECT(fstatat(room, "l", &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode));
    EXPECT(renameat(room, "b", room, "c") == 0);
    EXPECT(faccessat(room, "c", R_OK | W_OK, 0) == 0);
    EXPECT_ERROR(faccessat(room, "b", F_OK, 0), ENOENT);
    EXPECT(unlinkat(room, "c", 0) == 0 && unlinkat(room, "l", 0) == 0 && unlinkat(room, "d/a", 0) == 0);
    EXPECT_ERROR(unlinkat(room, "d", 0), EISDIR);
    EXPECT_ERROR(unlinkat(room, "d", 0x77), EINVAL);
    EXPECT(unlinkat(room, "d", AT_REMOVEDIR) == 0);
    EXPECT(fchdir(room) == 0);
    EXPECT_ERROR(fchdir(file), ENOTDIR);
    EXPECT_ERROR(fchdir(-1), EBADF);
    leave();
}

CHECK(names_of_the_current_directory_are_told)
{
    char path[64];

    enter();
    EXPECT(syscall(SYS_getcwd, path, sizeof path) == (long)strlen(room_name) + 1 && strcmp(path, room_name) == 0);
    EXPECT_ERROR((int)syscall(SYS_getcwd, path, 5), ERANGE);
    EXPECT_ERROR((int)syscall(SYS_getcwd, nowhere, 64), EFAULT);
    EXPECT(chdir("..") == 0 && getcwd(path, sizeof path) && strcmp(path, "/tmp") == 0);
    EXPECT(chdir("/../..") == 0 && getcwd(path, sizeof path) && strcmp(path, "/") == 0);
    EXPECT_ERROR(chdir("/missing"), ENOENT);
    EXPECT_ERROR(chdir("/dev/null"), ENOTDIR);
    EXPECT_ERROR(chdir(""), ENOENT);
    leave();
}

CHECK(names_in_a_directory_are_listed)
{
    enum { FILES = 200 };
    unsigned char seen[FILES] = {0};
    char name[16], small[64];
    int count = 0, dots = 0, room;
    struct dirent *entry;
    DIR *directory;

    enter();
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        make(name);
    }
    EXPECT(mkdir("d", 0755) == 0);
    directory = opendir(".");
    EXPECT(directory);
    while ((entry = readdir(directory))) {
        int i;

        EXPECT(entry->d_ino != 0 && entry->d_reclen % 8 == 0);
        if (sscanf(entry->d_name, "file-%d", &i) == 1) {
            EXPECT(i < FILES && !seen[i] && (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN));
            seen[i] = 1;
            count++;
        } else if (strcmp(entry->d_name, "d") == 0) {
            EXPECT(entry->d_type == DT_DIR || entry->d_type == DT_UNKNOWN);
        } else {
            EXPECT(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
            dots++;
        }
    }
    EXPECT(count == FILES && dots == 2);
    rewinddir(directory);
    EXPECT(readdir(directory));
    closedir(directory);
    room = open(".", O_RDONLY | O_DIRECTORY);
    EXPECT_ERROR((int)syscall(SYS_getdents64, room, small, 8), EINVAL);
    EXPECT(syscall(SYS_getdents64, room, small, sizeof small) > 0);
    EXPECT_ERROR((int)syscall(SYS_getdents64, room, nowhere, 4096), EFAULT);
    EXPECT_ERROR((int)syscall(SYS_getdents64, open("/dev/null", O_RDONLY), small, sizeof small), ENOTDIR);
    EXPECT_ERROR((int)syscall(SYS_getdents64, -1, small, sizeof small), EBADF);
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        EXPECT(unlink(name) == 0);
    }
    EXPECT(rmdir("d") == 0);
    leave();
}

CHECK(names_removed_while_they_are_listed_do_not_hide_others)
{
    enum { FILES = 300 };
    char name[16];
    int removed = 0;
    struct dirent *entry;
    DIR *directory;

    enter();
    for (int i = 0; i < FILES; i++) {
        snprintf(name, sizeof name, "file-%d", i);
        make(name);
    }
    directory = opendir(".");
    while ((entry = readdir(directory)))
        if (entry->d_name[0] != '.') {
            EXPECT(unlink(entry->d_name) == 0);
            removed++;
        }
    EXPECT(removed == FILES);
    closedir(directory);
    leave();
}

CHECK(names_of_devices_are_made)
{
    struct stat status;
    char byte = 1;
    int file;

    enter();
    EXPECT(mknod("zero", S_IFCHR | 0666, makedev(1, 5)) == 0);
    EXPECT(stat("zero", &status) == 0 && S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 5));
    file = open("zero", O_RDONLY);
    EXPECT(file >= 0 && read(file, &byte, 1) == 1 && byte == 0);
    EXPECT(fstat(file, &status) == 0 && status.st_rdev == makedev(1, 5));
    EXPECT(stat("/dev/null", &status) == 0 && status.st_rdev == makedev(1, 3));
    EXPECT(mknod("plain", S_IFREG | 0600, 0) == 0 && stat("plain", &status) == 0 && S_ISREG(status.st_mode));
    EXPECT_ERROR(mknod("plain", S_IFREG | 0600, 0), EEXIST);
    EXPECT_ERROR(mknod("d", S_IFDIR | 0700, 0), EPERM);
    EXPECT(unlink("zero") == 0 && unlink("plain") == 0);
    leave();
}
