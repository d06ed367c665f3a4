/* What a worker does with its part of the disk. */
#include "soak.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <unistd.h>

/* How a part is synced, the last one also with its pages given up. */
enum { FSYNC, FDATASYNC, MSYNC, GIVE_UP };

static uint32_t generation;
static int disk;
static char *mapping;
static uint64_t buffer[MOST * WORDS];
static sigjmp_buf on_bus_error;

static off_t place(uint32_t sector)
{
    return ((off_t)worker * PART + sector) * SECTOR;
}

/* An error of a disk that goes wrong, or went wrong. */
static void expect_failure(const char *what, uint32_t sector)
{
    int is_of_disk = errno == EIO || errno == ENXIO || errno == EROFS;

    if (!is_of_disk || (phase == 0 && shared->phase == 0))
        fail(what, sector);
    shared->errors++;
}

static void write_some(uint32_t first, uint32_t count)
{
    ssize_t done;
    uint32_t written;

    generation++;
    fill_sectors(buffer, first, count, generation);
    done = pwrite(disk, buffer, count * SECTOR, place(first));
    if (done < 0)
        expect_failure("it cannot be written", first);
    written = done > 0 ? (uint32_t)done / SECTOR : 0;
    for (uint32_t sector = first; sector < first + written; sector++)
        note_write(sector, generation);
}

static void read_some(uint32_t first, uint32_t count)
{
    ssize_t done = pread(disk, buffer, count * SECTOR, place(first));

    if (done < 0)
        expect_failure("it cannot be read", first);
    else
        check_sectors(buffer, first, (uint32_t)done / SECTOR);
}

static void on_signal(int number)
{
    (void)number;
    siglongjmp(on_bus_error, 1);
}

static void look_at_page(uint32_t first)
{
    if (sigsetjmp(on_bus_error, 1)) {
        errno = EIO;
        expect_failure("it cannot be mapped", first);
        return;
    }
    memcpy(buffer, mapping + (size_t)first * SECTOR, PAGE_SECTORS * SECTOR);
    check_sectors(buffer, first, PAGE_SECTORS);
}

static int sync_part(int how)
{
    int outcome;

    switch (how) {
    case FSYNC:
        outcome = fsync(disk);
        break;
    case FDATASYNC:
        outcome = fdatasync(disk);
        break;
    case MSYNC:
        outcome = msync(mapping, PART * SECTOR, MS_SYNC);
        break;
    default:
        outcome = ioctl(disk, BLKFLSBUF, 0);
    }
    if (outcome == 0) {
        note_synced();
        return 0;
    }
    expect_failure("it cannot be synced", 0);
    note_error();
    return -1;
}

/* Writes what is not certain once more. */
static void write_again(void)
{
    for (uint32_t sector = 0; sector < PART; sector++)
        if (part[sector].count > 1 && has_room(sector, 1, 0))
            write_some(sector, 1);
}

static void one_operation(void)
{
    uint32_t count = 1 + below(MOST), first = below(PART - count + 1), choice = below(100);

    look_at_phase();
    shared->operations++;
    if (choice < 40 && has_room(first, count, 1))
        write_some(first, count);
    else if (choice < 75)
        read_some(first, count);
    else if (choice < 85)
        look_at_page(first / PAGE_SECTORS * PAGE_SECTORS);
    else if (choice < 88)
        sync_part(GIVE_UP);
    else if (choice == 88 && !(phase & 1))
        write_again();
    else if (choice < 99)
        sync_part((int)below(GIVE_UP));
    else
        sync();
}

static void all_parts(void (*what)(uint32_t, uint32_t))
{
    for (uint32_t first = 0; first < PART; first += 32)
        what(first, 32);
}

static void open_part(void)
{
    static char path[64];

    snprintf(path, sizeof(path), "/dev/%s", name);
    disk = open(path, O_RDWR);
    mapping = mmap(NULL, PART * SECTOR, PROT_READ, MAP_SHARED, disk, place(0));
    if (disk < 0 || mapping == MAP_FAILED)
        fail("it cannot be opened", 0);
    signal(SIGBUS, on_signal);
    all_parts(write_some);
    if (sync_part(FSYNC))
        fail("it cannot be synced at first", 0);
}

int work(void)
{
    open_part();
    while (shared->stage == RUN)
        one_operation();
    while (shared->stage != DISK_MENDED)
        usleep(10000);
    /* What failed before, in any part, is told now. */
    look_at_phase();
    for (int told = 0; sync_part(FSYNC); told++)
        if (told == 2 * WORKERS)
            fail("an error is told again and again", 0);
    for (int round = 0; round < 2; round++) {
        if (sync_part(GIVE_UP))
            fail("it cannot be synced, and the disk works", 0);
        all_parts(read_some);
        for (uint32_t sector = 0; sector < PART; sector++)
            part[sector].count = 0;
        all_parts(write_some);
        if (fsync(disk))
            fail("it cannot be synced, and the disk works", 0);
        note_synced();
    }
    if (sync_part(GIVE_UP))
        fail("it cannot be synced, and the disk works", 0);
    all_parts(read_some);
    return 0;
}
