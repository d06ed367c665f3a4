/* Checks of calls about files: open, read, write, seek, directories, descriptors. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"

static const char *const NAME = "/tmp/calls-file";

/* An address at which nothing is mapped, which the compiler does not see through. */
static char *volatile nowhere = (char *)16;

/* A new file with this text, open at its end. */
static int file_with(const char *text)
{
    int file = open(NAME, O_RDWR | O_CREAT | O_TRUNC, 0644);

    EXPECT(file >= 0);
    EXPECT(write(file, text, strlen(text)) == (ssize_t)strlen(text));
    return file;
}

CHECK(file_has_what_was_written)
{
    char text[16] = "";
    int file = file_with("0123456789");

    EXPECT(lseek(file, 2, SEEK_SET) == 2);
    EXPECT(read(file, text, 3) == 3 && memcmp(text, "234", 3) == 0);
    EXPECT(lseek(file, 0, SEEK_CUR) == 5);
    EXPECT(lseek(file, -1, SEEK_END) == 9);
    EXPECT(read(file, text, sizeof text) == 1 && text[0] == '9');
    EXPECT(read(file, text, sizeof text) == 0);
    EXPECT(close(file) == 0);
    EXPECT_ERROR(close(file), EBADF);
    EXPECT(unlink(NAME) == 0);
    EXPECT_ERROR(open(NAME, O_RDONLY), ENOENT);
}

CHECK(file_descriptors_that_are_copies_share_the_position)
{
    int file = file_with("0123456789"), copy = dup(file);
    char byte;

    EXPECT(copy > file);
    EXPECT(lseek(file, 3, SEEK_SET) == 3);
    EXPECT(read(copy, &byte, 1) == 1 && byte == '3');
    EXPECT(lseek(file, 0, SEEK_CUR) == 4);
    close(file);
    close(copy);
    unlink(NAME);
}

CHECK(file_pointers_that_lead_nowhere_are_refused)
{
    struct stat status;
    int file = file_with("text");

    EXPECT_ERROR(write(file, nowhere, 4), EFAULT);
    EXPECT(lseek(file, 0, SEEK_SET) == 0);
    EXPECT_ERROR(read(file, nowhere, 4), EFAULT);
    EXPECT_ERROR(open(nowhere, O_RDONLY), EFAULT);
    EXPECT_ERROR(stat(nowhere, &status), EFAULT);
    close(file);
    unlink(NAME);
}

CHECK(file_status_tells_kind_and_size)
{
    struct stat status;
    int file = file_with("text");

    EXPECT(fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 4 && status.st_ino != 0);
    EXPECT(stat("/tmp", &status) == 0 && S_ISDIR(status.st_mode));
    EXPECT(stat("/dev/null", &status) == 0 && S_ISCHR(status.st_mode));
    close(file);
    unlink(NAME);
}

CHECK(file_that_was_unlinked_stays_while_it_is_open)
{
    char text[4];
    int file = file_with("text");

    EXPECT(unlink(NAME) == 0);
    EXPECT(pread(file, text, 4, 0) == 4 && memcmp(text, "text", 4) == 0);
    close(file);
}
