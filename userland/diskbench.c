/*
 * diskbench WHAT DEVICE [ROUNDS]: what disks and memory that is short cost, in ticks of the time-stamp counter.
 *
 * The same static program runs on Scullery and on Linux (make bench-linux). Where the machine counts instructions, a
 * tick is one instruction. Each line is `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`, as the kernels' own benchmarks
 * print it; a row that cannot be measured says why, and the program ends with 1. WHAT is
 *
 *   cached   a page of the device, and a part of it, read by pread when they are in memory already
 *   swap     a page out to the device and back, of a process that has half as much again as the machine
 *   reclaim  a page that a process gets when memory is full of clean pages of the device, beyond one of free memory
 *   dd       64 MiB to the device and from it, by busybox's dd; what is on it is lost
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/swap.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSYBOX "/bin/busybox"
#define DROP_CACHES "/proc/sys/vm/drop_caches"

enum {
	PAGE = 4096,
	MOST_ROUNDS = 101,
	PAGES = 256,
	/* What one round of reclaim takes. */
	TAKEN = 8192,
	CHUNK = 1 << 16,
};

static const char *device;
static int rounds;
static int failed;

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* --- one row ------------------------------------------------------------------------------------------------- */

/* Ticks that so many operations took, or -1 with errno. */
typedef double (*measure)(void);

static int by_size(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void refuse(const char *name)
{
	printf("bench %s failed: %s\n", name, strerror(errno));
	failed = 1;
}

static void row(const char *name, measure take, int operations)
{
	static double each[MOST_ROUNDS];
	double sum = 0;

	/* The first one warms up. */
	for (int round = -1; round < rounds; round++) {
		double all = take();

		if (all < 0) {
			refuse(name);
			return;
		}
		if (round >= 0)
			sum += each[round] = all / operations;
	}
	qsort(each, rounds, sizeof(*each), by_size);
	printf("bench %s %.2f %.2f %.2f %.2f %d %d\n", name, each[rounds / 2], sum / rounds, each[0], each[rounds - 1],
	       operations, rounds);
}

/* --- what is cached ------------------------------------------------------------------------------------------ */

static int disk = -1;

static double reads_of(size_t bytes)
{
	static char page[PAGE];
	uint64_t start = ticks();

	for (int one = 0; one < PAGES; one++)
		if (pread(disk, page, bytes, (off_t)one * PAGE) != (ssize_t)bytes)
			return -1;
	return ticks() - start;
}

static double pages_read(void)
{
	return reads_of(PAGE);
}

static double parts_read(void)
{
	return reads_of(64);
}

static void cached(void)
{
	row("disk_pread_64_cached", parts_read, PAGES);
	row("disk_pread_4096_cached", pages_read, PAGES);
}

/* --- swap ---------------------------------------------------------------------------------------------------- */

static volatile char *region;
static size_t region_pages;

static double touch_region(void)
{
	uint64_t start = ticks();

	for (size_t page = 0; page < region_pages; page++)
		region[page * PAGE]++;
	return ticks() - start;
}

static void *some_memory(size_t pages)
{
	void *memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

static unsigned long long bytes_of_memory(void)
{
	struct sysinfo info;

	return sysinfo(&info) ? 0 : (unsigned long long)info.totalram * (info.mem_unit ? info.mem_unit : 1);
}

/* Writes the header of an area that is all of the device, and swaps to it. */
static int make_swap(void)
{
	static char header[PAGE];
	uint32_t about[3] = { 1, 0, 0 };

	about[1] = lseek(disk, 0, SEEK_END) / PAGE - 1;
	memcpy(header + 1024, about, sizeof(about));
	memcpy(header + PAGE - 10, "SWAPSPACE2", 10);
	return pwrite(disk, header, PAGE, 0) == PAGE ? swapon(device, 0) : -1;
}

static void swap(void)
{
	static const char name[] = "disk_swap_page";

	region_pages = bytes_of_memory() / PAGE * 3 / 2;
	region = make_swap() ? NULL : some_memory(region_pages);
	if (!region) {
		refuse(name);
		return;
	}
	row(name, touch_region, region_pages);
	munmap((void *)region, region_pages * PAGE);
	if (swapoff(device))
		refuse("disk_swapoff");
}

/* --- clean pages --------------------------------------------------------------------------------------------- */

static double touch_new_pages(void)
{
	double took;

	region_pages = TAKEN;
	region = some_memory(region_pages);
	if (!region)
		return -1;
	took = touch_region();
	return munmap((void *)region, region_pages * PAGE) ? -1 : took;
}

static int write_line(const char *path, const char *line)
{
	int file = open(path, O_WRONLY);
	int outcome = file < 0 || write(file, line, strlen(line)) < 0 ? -1 : 0;

	if (file >= 0)
		close(file);
	return outcome;
}

/* Reads so much of the device that memory is full of it. */
static int fill_memory(void)
{
	static char chunk[CHUNK];
	unsigned long long bytes = bytes_of_memory() * 5 / 4;

	for (unsigned long long done = 0; done < bytes; done += CHUNK)
		if (pread(disk, chunk, CHUNK, done) != CHUNK)
			return -1;
	return 0;
}

static double reclaims(void)
{
	double free_memory, full_memory;

	if (write_line(DROP_CACHES, "1\n"))
		return -1;
	free_memory = touch_new_pages();
	if (free_memory < 0 || fill_memory())
		return -1;
	full_memory = touch_new_pages();
	return full_memory < 0 ? -1 : full_memory - free_memory;
}

static void reclaim(void)
{
	row("disk_reclaim_clean_page", reclaims, TAKEN);
}

/* --- dd ------------------------------------------------------------------------------------------------------ */

static double run_dd(char *from, char *to, char *more)
{
	char *const line[] = { "dd", from, to, "bs=64k", "count=1024", more, NULL };
	uint64_t start = ticks();
	pid_t child = fork();
	int status;

	if (child == 0) {
		/* Its report is nobody's business. */
		dup2(open("/dev/null", O_WRONLY), 2);
		execv(BUSYBOX, line);
		_exit(127);
	}
	errno = ECHILD;
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		return -1;
	return ticks() - start;
}

static double dd_to(void)
{
	static char to[256];

	snprintf(to, sizeof(to), "of=%s", device);
	return run_dd("if=/dev/zero", to, "conv=fsync");
}

static double dd_from(void)
{
	static char from[256];

	snprintf(from, sizeof(from), "if=%s", device);
	return write_line(DROP_CACHES, "1\n") ? -1 : run_dd(from, "of=/dev/null", NULL);
}

static void dd(void)
{
	row("disk_dd_to_64m", dd_to, 1);
	row("disk_dd_from_64m", dd_from, 1);
}

/* --- all ----------------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*measure)(void);
	int rounds;
} kinds[] = {
	{ "cached", cached, 21 },
	{ "swap", swap, 3 },
	{ "reclaim", reclaim, 5 },
	{ "dd", dd, 5 },
};

int main(int argc, char **argv)
{
	/* A line each, whoever reads; and nothing is left in the buffer for a child to write once more. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t kind = 0; argc >= 3 && kind < sizeof(kinds) / sizeof(*kinds); kind++) {
		if (strcmp(argv[1], kinds[kind].name))
			continue;
		device = argv[2];
		rounds = argc > 3 ? atoi(argv[3]) : kinds[kind].rounds;
		disk = open(device, O_RDWR);
		if (disk < 0 || rounds < 1 || rounds > MOST_ROUNDS) {
			fprintf(stderr, "diskbench: %s: %s\n", device, disk < 0 ? strerror(errno) : "a number of rounds");
			return 1;
		}
		kinds[kind].measure();
		return failed;
	}
	fprintf(stderr, "usage: diskbench cached|swap|reclaim|dd DEVICE [ROUNDS]\n");
	return 2;
}
