/*
 * disksoak DISK SECONDS [SEED]: many things at once on a disk that fails, and every byte of it checked.
 *
 * DISK is a disk in memory, such as ram0: what it holds is lost, and /proc/sys/dev/disks tells it to go wrong. Each
 * worker has a part of it, reads and writes there, by calls and by a mapping, syncs, and has its pages given up. In
 * some phases the disk works, in others its requests fail, end half done, or get no answer. A worker knows for each
 * sector all that it may hold: what was there when a sync last covered it, and what was written since. An error that a
 * sync tells covers nothing. What is read must be one of these and whole, and where nothing can have failed, the last.
 * Meanwhile files in /tmp change, and /bin/pattern fills memory. In the end the disk works, and all must be there.
 *
 * The same SEED is the same work in each worker, though not the same interleaving.
 */
#include "soak.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int start(int (*child)(void), int number)
{
    pid_t pid = fork();

    if (pid == 0) {
        worker = number;
        seed += (uint64_t)number * 7919;
        exit(child());
    }
    return pid < 0;
}

int main(int argc, char **argv)
{
    int seconds = argc > 2 ? atoi(argv[2]) : 0, failed = 0, status;

    if (argc < 3 || argc > 4 || seconds < 1) {
        fprintf(stderr, "usage: disksoak DISK SECONDS [SEED]\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    name = argv[1];
    seed = argc > 3 ? strtoull(argv[3], NULL, 0) : (uint64_t)time(NULL);
    printf("disksoak: seed %llu\n", (unsigned long long)seed);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return 1;
    order("clear");
    for (int number = 0; number < WORKERS; number++)
        failed |= start(work, number);
    failed |= start(change_files, WORKERS) | start(fill_memory, WORKERS + 1);
    go_wrong(seconds);
    shared->stage = DISK_MENDED;
    while (wait(&status) > 0)
        failed |= status != 0;
    printf("disksoak: %llu operations, %llu orders, %llu errors told, %llu rounds beside: %s\n",
           (unsigned long long)shared->operations, (unsigned long long)shared->orders,
           (unsigned long long)shared->errors, (unsigned long long)shared->rounds,
           failed ? "FAILED" : "all data right");
    return failed;
}
