/*
 * vmstat [DELAY [COUNT]]: what memory, swap and disks do, a line each DELAY seconds, COUNT lines or for ever.
 *
 * The first line is the average since boot, and without a DELAY the only one. Memory is in KiB; si and so (swap), bi
 * and bo (disks, swap areas among them) in KiB a second; scan (pages that reclaim looked at), wash (dirty pages that it
 * began to write) and free (pages that it gave back) in pages a second.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATUS_USAGE = 2, KIB_OF_PAGE = 4, LINES_OF_PAGE = 20 };

struct counts {
    unsigned long long swapped_in, swapped_out, in, out, scanned, laundered, stolen;
};

struct state {
    unsigned long long running, blocked, swap_total, swap_free, free, buffers, cached;
    struct counts counts;
};

/* A line of a file: its name, and where its number goes. Numbers of equal place are added up. */
struct field {
    const char *name;
    unsigned long long *place;
};

static void read_fields(const char *path, const struct field *fields, size_t count)
{
    FILE *file = fopen(path, "r");
    char line[256], name[64];
    unsigned long long number;

    if (!file) {
        perror(path);
        exit(1);
    }
    while (fgets(line, sizeof line, file))
        if (sscanf(line, "%63s %llu", name, &number) == 2)
            for (size_t i = 0; i < count; i++)
                if (strcmp(name, fields[i].name) == 0)
                    *fields[i].place += number;
    fclose(file);
}

#define READ(path, fields) read_fields(path, fields, sizeof fields / sizeof *fields)

static struct state read_state(void)
{
    struct state now;
    struct counts *counts = &now.counts;

    memset(&now, 0, sizeof now);
    const struct field stat[] = {{"procs_running", &now.running}, {"procs_blocked", &now.blocked}};
    const struct field memory[] = {
        {"MemFree:", &now.free},         {"Buffers:", &now.buffers},       {"Cached:", &now.cached},
        {"SwapTotal:", &now.swap_total}, {"SwapFree:", &now.swap_free},
    };
    const struct field events[] = {
        {"pswpin", &counts->swapped_in},           {"pswpout", &counts->swapped_out},
        {"pgpgin", &counts->in},                   {"pgpgout", &counts->out},
        {"pgscan_kswapd", &counts->scanned},       {"pgscan_direct", &counts->scanned},
        {"pglaunder_kswapd", &counts->laundered},  {"pglaunder_direct", &counts->laundered},
        {"pgsteal_kswapd", &counts->stolen},       {"pgsteal_direct", &counts->stolen},
    };

    READ("/proc/stat", stat);
    READ("/proc/meminfo", memory);
    READ("/proc/vmstat", events);
    /* One that runs is the one that asks. */
    if (now.running > 0)
        now.running--;
    return now;
}

static double uptime(void)
{
    FILE *file = fopen("/proc/uptime", "r");
    double seconds = 0;

    if (!file || fscanf(file, "%lf", &seconds) != 1 || seconds < 1)
        seconds = 1;
    if (file)
        fclose(file);
    return seconds;
}

static void print_head(void)
{
    printf("procs -----------memory (KiB)---------- ----swap--- -----io---- -------reclaim------\n");
    printf(" r  b    swpd    free    buff   cache    si    so    bi    bo   scan   wash   free\n");
}

/* The rate of a count that has gone from `from` to `to`, rounded. */
static unsigned long long rate(unsigned long long from, unsigned long long to, double seconds)
{
    return (unsigned long long)((double)(to - from) / seconds + 0.5);
}

static void print_line(const struct state *now, const struct counts *from, double seconds)
{
    const struct counts *to = &now->counts;

    printf("%2llu %2llu %7llu %7llu %7llu %7llu", now->running, now->blocked, now->swap_total - now->swap_free,
           now->free, now->buffers, now->cached);
    printf(" %5llu %5llu", rate(from->swapped_in, to->swapped_in, seconds) * KIB_OF_PAGE,
           rate(from->swapped_out, to->swapped_out, seconds) * KIB_OF_PAGE);
    printf(" %5llu %5llu", rate(from->in, to->in, seconds), rate(from->out, to->out, seconds));
    printf(" %6llu %6llu %6llu\n", rate(from->scanned, to->scanned, seconds),
           rate(from->laundered, to->laundered, seconds), rate(from->stolen, to->stolen, seconds));
}

/* A number of at least 1; 0 for anything else. */
static unsigned long positive(const char *text)
{
    char *end;
    unsigned long number = strtoul(text, &end, 10);

    return end == text || *end || *text == '-' ? 0 : number;
}

int main(int argc, char **argv)
{
    unsigned long delay = argc > 1 ? positive(argv[1]) : 0, count = argc > 2 ? positive(argv[2]) : 0;
    struct counts before;

    if (argc > 3 || (argc > 1 && delay == 0) || (argc > 2 && count == 0)) {
        fprintf(stderr, "usage: vmstat [DELAY [COUNT]]\n");
        return STATUS_USAGE;
    }
    memset(&before, 0, sizeof before);
    double seconds = uptime();
    for (unsigned long line = 0;; seconds = (double)delay) {
        struct state now = read_state();

        if (line % LINES_OF_PAGE == 0)
            print_head();
        print_line(&now, &before, seconds);
        if (fflush(stdout) != 0)
            return 1;
        before = now.counts;
        if (++line == (count ? count : 1) && (count || !delay))
            return 0;
        sleep((unsigned)delay);
    }
}
