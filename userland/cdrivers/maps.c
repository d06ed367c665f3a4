/* Checks of mappings: cscullp's and cscullv's devices, and pages that outlive what they were allocated by. */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../modules/c/orders.h"
#include "../calls/check.h"
#include "devices.h"

enum { PAGE = 4096 };

static char *map(int file, size_t length, off_t offset)
{
    char *address = mmap(0, length, PROT_READ | PROT_WRITE, MAP_SHARED, file, offset);

    EXPECT(address != MAP_FAILED);
    return address;
}

/* Writes so many bytes of a pattern that no page repeats. */
static void fill(int file, size_t length)
{
    static char bytes[100000];
    size_t done = 0;

    EXPECT(length <= sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        bytes[i] = (char)(i / PAGE * 7 + i);
    while (done < length) {
        ssize_t written = write(file, bytes + done, length - done);

        EXPECT(written > 0);
        done += (size_t)written;
    }
}

static char *touched;

static int touch(void)
{
    return *(volatile char *)touched & 0;
}

/* What is read is what is mapped, what is stored is read, and beyond the end is nothing. */
static void check_device(const char *driver)
{
    enum { LENGTH = 20 * PAGE - 100 };
    int file = open_device(driver, 0, O_RDWR), cut = open_device(driver, 0, O_WRONLY);
    char *shown, byte;

    EXPECT(file >= 0 && cut >= 0 && close(cut) == 0);
    fill(file, LENGTH);
    shown = map(file, 21 * PAGE, 0);
    for (size_t at = 0; at < LENGTH; at += 1000)
        EXPECT(shown[at] == (char)(at / PAGE * 7 + at));
    EXPECT(shown[LENGTH] == 0);
    shown[17 * PAGE + 5] = 'm';
    EXPECT(pread(file, &byte, 1, 17 * PAGE + 5) == 1 && byte == 'm');
    touched = shown + 20 * PAGE;
    EXPECT(in_child(0, touch) == 128 + SIGBUS);
    EXPECT(munmap(shown, 21 * PAGE) == 0);
    shown = map(file, PAGE, 18 * PAGE);
    EXPECT(shown[3] == (char)(18 * 7 + 18 * PAGE + 3));
}

CHECK(cscullp_shows_a_process_its_pages)
{
    check_device("cscullp");
}

CHECK(cscullv_shows_a_process_its_pages)
{
    check_device("cscullv");
}

static int cut(void)
{
    int file = open_device("cscullp", 1, O_WRONLY);

    return file < 0 ? errno : 0;
}

CHECK(cscullp_keeps_what_is_mapped)
{
    int file = open_device("cscullp", 1, O_RDWR);
    char *shown, byte;

    fill(file, PAGE);
    shown = map(file, PAGE, 0);
    EXPECT(shown[5] == 5 && in_child(0, cut) == 0);
    /* Even what a child maps by inheritance counts, and what it unmaps. */
    touched = shown;
    EXPECT(in_child(0, touch) == 0 && shown[5] == 5 && pread(file, &byte, 1, 5) == 1 && byte == 5);
    EXPECT(munmap(shown, PAGE) == 0 && in_child(0, cut) == 0 && pread(file, &byte, 1, 5) == 0);
}

CHECK(cscullp_maps_single_pages_only)
{
    int file = open_device("cscullp", 2, O_RDWR);

    EXPECT(ioctl(file, ORDER_SHIFT, 2L) == 0);
    close(open_device("cscullp", 2, O_WRONLY));
    EXPECT(write(file, "x", 1) == 1);
    EXPECT(mmap(0, PAGE, PROT_READ, MAP_SHARED, file, 0) == MAP_FAILED && errno == ENODEV);
    EXPECT(ioctl(file, ORDER_RESET) == 0);
    close(open_device("cscullp", 2, O_WRONLY));
    EXPECT(map(file, PAGE, 0));
}

/* Writes to the device all the time while others touch its pages: nopage waits for the driver's semaphore. */
CHECK(cscullp_is_mapped_while_it_is_written)
{
    int file = open_device("cscullp", 3, O_RDWR);
    pid_t writer;
    char *shown;

    fill(file, 20 * PAGE);
    writer = fork();
    if (writer == 0)
        for (;;) {
            lseek(file, 0, SEEK_SET);
            fill(file, 20 * PAGE);
        }
    for (int i = 0; i < 30; i++) {
        shown = map(file, 20 * PAGE, 0);
        for (int page = 0; page < 20; page++)
            EXPECT(shown[page * PAGE + 9] == (char)(page * 7 + page * PAGE + 9));
        EXPECT(munmap(shown, 20 * PAGE) == 0);
    }
    EXPECT(kill(writer, SIGKILL) == 0 && waitpid(writer, NULL, 0) == writer);
}

CHECK(cnames_pages_outlive_what_they_were_allocated_by)
{
    int file = open_device("cnames", 0, O_RDWR);
    char buffer[8] = "eight by", line[200];
    char *shown;

    EXPECT(write(file, buffer, sizeof(buffer)) == sizeof(buffer) && memcmp(buffer, "eight by", 8) == 0);
    EXPECT(ioctl(file, 4) == 0 && fsync(file) == 0 && ioctl(file, 4) == 1);
    EXPECT_ERROR(lseek(file, 1, SEEK_SET), ESPIPE);
    EXPECT(ioctl(file, 2) == 0);
    shown = map(file, 3 * PAGE, 0);
    EXPECT(strcmp(shown, "a page") == 0 && strcmp(shown + PAGE, "an area") == 0);
    EXPECT(ioctl(file, 1) == 0);
    EXPECT(strcmp(shown, "a page") == 0 && strcmp(shown + PAGE, "an area") == 0);
    strcpy(shown + PAGE, "mine now");
    EXPECT(strcmp(shown + PAGE, "mine now") == 0);
    touched = shown + 2 * PAGE;
    EXPECT(in_child(0, touch) == 128 + SIGBUS);
    EXPECT(munmap(shown, PAGE) == 0 && strcmp(shown + PAGE, "mine now") == 0 && munmap(shown + PAGE, 2 * PAGE) == 0);
    EXPECT((close(file), file = open_device("cnames", 0, O_RDONLY)) >= 0 && read(file, line, sizeof(line)) > 0);
    EXPECT(memcmp(line, "cdrivers is process ", 20) == 0 && strstr(line, "; 0 did not hold\n"));
    EXPECT(ioctl(file, 2) == 0);
}
