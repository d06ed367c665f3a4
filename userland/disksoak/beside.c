/* What happens beside: files and processes that want memory, and a disk that is told to go wrong. */
#include "soak.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* A file in /tmp grows, shrinks, and is what was written. */
int change_files(void)
{
    static uint64_t words[FILE_WORDS];
    int file = open("/tmp/disksoak", O_RDWR | O_CREAT | O_TRUNC, 0600);

    while (file >= 0 && shared->stage == RUN) {
        uint64_t start = (uint64_t)below(1 << 30) << 20;
        ssize_t bytes = (ssize_t)(1 + below(FILE_WORDS)) * 8;

        for (ssize_t index = 0; index < bytes / 8; index++)
            words[index] = start + (uint64_t)index;
        if (ftruncate(file, below((uint32_t)bytes)) || pwrite(file, words, (size_t)bytes, 0) != bytes)
            fail("a file cannot be written", 0);
        memset(words, 0, sizeof(words));
        if (pread(file, words, (size_t)bytes, 0) != bytes)
            fail("a file cannot be read", 0);
        for (ssize_t index = 0; index < bytes / 8; index++)
            if (words[index] != start + (uint64_t)index)
                fail("a file holds something else", (uint32_t)index);
        shared->rounds++;
        usleep(20000);
    }
    unlink("/tmp/disksoak");
    return file < 0;
}

/* A process with more memory than the machine has left, again and again. */
int fill_memory(void)
{
    while (shared->stage == RUN) {
        int status;
        pid_t child = fork();

        if (child == 0) {
            execl("/bin/pattern", "pattern", "48", "fork", NULL);
            _exit(127);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status)
            fail("pattern has failed", 0);
        shared->rounds++;
    }
    return 0;
}

void order(const char *line)
{
    int file = open("/proc/sys/dev/disks", O_WRONLY);

    if (file < 0 || dprintf(file, "%s %s\n", name, line) < 0)
        fail("the disk takes no orders", 0);
    close(file);
    shared->orders++;
}

static void some_order(void)
{
    static const char *const kinds[] = { "fail", "fail", "fail", "short", "short", "busy", "latency" };
    uint32_t kind = below(7), first = below(WORKERS * PART);
    char line[64];

    if (below(40) == 0)
        snprintf(line, sizeof(line), "hang %u", 1 + below(20));
    else if (below(5) == 0)
        snprintf(line, sizeof(line), "fail sectors %u %u", first, first + below(64));
    else
        snprintf(line, sizeof(line), "%s %u", kinds[kind], (kind < 6) + below(kind < 6 ? 30 : 3));
    order(line);
}

void go_wrong(int seconds)
{
    time_t end = time(NULL) + seconds;

    while (time(NULL) < end) {
        time_t next = time(NULL) + PHASE_SECONDS;

        sleep(PHASE_SECONDS);
        shared->phase++;
        for (; time(NULL) < next + PHASE_SECONDS; usleep(50000))
            some_order();
        order("clear");
        order("latency 1");
        shared->phase++;
    }
}
