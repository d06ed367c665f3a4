/* Checks of cscull's plain devices: bytes, positions, commands, and who may give them. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../modules/c/cscull/cscull.h"
#include "../calls/check.h"
#include "devices.h"

/* An address of the kernel's. */
#define KERNELS ((void *)0xffff888000000000UL)
/* One at which nobody has memory. */
#define NOWHERE ((void *)0x10000UL)
#define NOBODY 65534

CHECK(cscull_reads_back_what_was_written)
{
    int file = open_device("cscull", 0, O_RDWR);
    char text[10] = "";

    EXPECT(file >= 0);
    EXPECT(write(file, "hello", 5) == 5);
    EXPECT(lseek(file, 0, SEEK_CUR) == 5 && lseek(file, -4, SEEK_END) >= 0 && lseek(file, 1, SEEK_SET) == 1);
    EXPECT(read(file, text, 9) >= 4 && memcmp(text, "ello", 4) == 0);
    EXPECT_ERROR(lseek(file, -1, SEEK_SET), EINVAL);
    EXPECT_ERROR(lseek(file, 0, 9), EINVAL);
    EXPECT(pread(file, text, 3, 2) == 3 && memcmp(text, "llo", 3) == 0);
    EXPECT(pwrite(file, "p", 1, 3) == 1 && pread(file, text, 5, 0) == 5 && memcmp(text, "helpo", 5) == 0);
}

CHECK(cscull_is_empty_after_it_was_opened_to_be_written)
{
    int file = open_device("cscull", 1, O_WRONLY);
    char byte;

    EXPECT(write(file, "x", 1) == 1 && close(file) == 0);
    EXPECT((file = open_device("cscull", 1, O_RDONLY)) >= 0 && read(file, &byte, 1) == 1 && byte == 'x');
    EXPECT_ERROR(write(file, "x", 1), EBADF);
    close(file);
    EXPECT((file = open_device("cscull", 1, O_WRONLY)) >= 0);
    EXPECT_ERROR(read(file, &byte, 1), EBADF);
    close(file);
    EXPECT((file = open_device("cscull", 1, O_RDONLY)) >= 0 && read(file, &byte, 1) == 0);
}

CHECK(cscull_transfers_to_the_end_of_a_quantum_and_reads_holes_as_the_end)
{
    static char bytes[10000];
    int file = open_device("cscull", 2, O_RDWR);

    memset(bytes, 'b', sizeof(bytes));
    EXPECT(write(file, bytes, sizeof(bytes)) == 4000 && write(file, bytes, 6000) == 4000);
    EXPECT(lseek(file, 100, SEEK_SET) == 100 && read(file, bytes, sizeof(bytes)) == 3900);
    EXPECT(pwrite(file, "far", 3, 9000000) == 3 && pread(file, bytes, 3, 9000000) == 3);
    EXPECT(pread(file, bytes, 100, 8000000) == 0);
    EXPECT_ERROR(pwrite(file, "x", 1, 1L << 40), EFBIG);
    EXPECT(lseek(file, 0, SEEK_END) == 9000003);
    EXPECT((close(file), file = open_device("cscull", 2, O_WRONLY)) >= 0);
}

CHECK(cscull_is_given_no_memory_that_is_not_the_callers)
{
    int file = open_device("cscull", 0, O_RDWR);

    EXPECT(write(file, "hello", 5) == 5 && lseek(file, 0, SEEK_SET) == 0);
    EXPECT_ERROR(read(file, KERNELS, 5), EFAULT);
    EXPECT_ERROR(read(file, NOWHERE, 5), EFAULT);
    EXPECT_ERROR(write(file, KERNELS, 5), EFAULT);
    EXPECT_ERROR(ioctl(file, CSCULL_GET_QUANTUM, KERNELS), EFAULT);
    EXPECT_ERROR(ioctl(file, CSCULL_SET_QUANTUM, NOWHERE), EFAULT);
    EXPECT(lseek(file, 0, SEEK_CUR) == 0);
}

CHECK(cscull_has_six_ways_to_change_a_number)
{
    int file = open_device("cscull", 3, O_RDWR), number = 0;

    EXPECT(ioctl(file, CSCULL_RESET) == 0 && ioctl(file, CSCULL_QUERY_QUANTUM) == 4000);
    EXPECT(ioctl(file, CSCULL_GET_QSET, &number) == 0 && number == 1000);
    number = 500;
    EXPECT(ioctl(file, CSCULL_SET_QUANTUM, &number) == 0 && ioctl(file, CSCULL_TELL_QSET, 10L) == 0);
    EXPECT(ioctl(file, CSCULL_SHIFT_QUANTUM, 600L) == 500 && ioctl(file, CSCULL_SHIFT_QSET, 20L) == 10);
    number = 700;
    EXPECT(ioctl(file, CSCULL_EXCHANGE_QUANTUM, &number) == 0 && number == 600);
    EXPECT(ioctl(file, CSCULL_QUERY_QUANTUM) == 700 && ioctl(file, CSCULL_QUERY_QSET) == 20);
    EXPECT_ERROR(ioctl(file, CSCULL_TELL_QUANTUM, 0L), EINVAL);
    EXPECT_ERROR(ioctl(file, CSCULL_TELL_QSET, -1L), EINVAL);
    EXPECT_ERROR(ioctl(file, _IO('K', 1)), ENOTTY);
    EXPECT_ERROR(ioctl(file, _IO(CSCULL_MAGIC, CSCULL_COMMANDS)), ENOTTY);
    EXPECT(ioctl(file, CSCULL_RESET) == 0);
}

static int change_without_rights(void)
{
    int file = open_device("cscull", 3, O_RDWR);

    EXPECT(file >= 0 && ioctl(file, CSCULL_QUERY_QUANTUM) == 4000);
    EXPECT_ERROR(ioctl(file, CSCULL_TELL_QUANTUM, 100L), EPERM);
    return 0;
}

CHECK(cscull_lets_only_root_change_what_is_for_all)
{
    int file = open_device("cscull", 3, O_RDWR);

    EXPECT(ioctl(file, CSCULL_RESET) == 0);
    EXPECT(in_child(NOBODY, change_without_rights) == 0);
    EXPECT(ioctl(file, CSCULL_TELL_QUANTUM, 100L) == 0 && ioctl(file, CSCULL_RESET) == 0);
}

CHECK(cscull_has_no_devices_but_its_own_and_maps_none)
{
    int file = open_device("cscull", 0, O_RDWR);

    EXPECT_ERROR(open_device("cscull", 4, O_RDONLY), ENODEV);
    EXPECT_ERROR(open_device("cscull", 99, O_RDONLY), ENODEV);
    EXPECT(mmap(0, 4096, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED && errno == ENODEV);
}

/* The module's count of users, as /proc/modules has it. */
static int users_of_cscull(void)
{
    char line[200], name[50];
    int users = -1, found;
    FILE *modules = fopen("/proc/modules", "r");

    while (modules && fgets(line, sizeof(line), modules))
        if (sscanf(line, "%49s %*s %d", name, &found) == 2 && strcmp(name, "cscull") == 0)
            users = found;
    if (modules)
        fclose(modules);
    return users;
}

CHECK(cscull_counts_its_users_twice_and_forgets_them_when_told)
{
    int before = users_of_cscull(), file = open_device("cscull", 0, O_RDONLY);

    /* Once by itself, once by the kernel, which SET_MODULE_OWNER has told of it. */
    EXPECT(before == 0 && users_of_cscull() == 2);
    EXPECT(ioctl(file, CSCULL_FORGET_USERS) == 0);
    EXPECT(users_of_cscull() >= 1);
    close(file);
    EXPECT(users_of_cscull() == 0);
}
