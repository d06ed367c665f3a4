/*
 * procbench [ROUNDS]: what processes cost, in ticks of the time-stamp counter.
 *
 * The same static program runs on Scullery and on Linux (make bench-linux). Where the machine counts instructions, a
 * tick is one instruction. Each line is `bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS`, as the kernels' own benchmarks
 * print it; a row that cannot be measured says why, and the program ends with 1.
 *
 * It needs /bin/busybox, /tmp, and /dev/scullp0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSYBOX "/bin/busybox"
#define BIGFILE "/tmp/bigfile"
#define LINE "cat " BIGFILE " > /dev/scullp0"

enum {
	PAGE = 4096,
	MOST_ROUNDS = 101,
	CALLS = 1000,
	PAGES = 256,
	FORKS = 20,
	SUBSHELLS = 50,
	/* The free pages are read when so many shells are idle, and again with so many more. */
	FIRST_SHELLS = 20,
	MORE_SHELLS = 100,
	BIG = 1 << 20,
};

static uint64_t ticks(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence\n\trdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

/* --- one row ------------------------------------------------------------------------------------------------- */

/* Ticks that so many operations took, or -1 with errno. */
typedef double (*measure)(void);

static int rounds = 21;
static int failed;

static int by_size(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

static void refuse(const char *name, const char *why)
{
	printf("bench %s failed: %s\n", name, why);
	failed = 1;
}

static void row(const char *name, measure take, int operations)
{
	static double each[MOST_ROUNDS];
	double sum = 0;

	/* The first one warms up what is filled once: the page cache, the caches of the allocators. */
	for (int round = -1; round < rounds; round++) {
		double all = take();

		if (all < 0) {
			refuse(name, strerror(errno));
			return;
		}
		if (round >= 0)
			sum += each[round] = all / operations;
	}
	qsort(each, rounds, sizeof(*each), by_size);
	printf("bench %s %.2f %.2f %.2f %.2f %d %d\n", name, each[rounds / 2], sum / rounds, each[0], each[rounds - 1],
	       operations, rounds);
}

/* --- system calls and faults --------------------------------------------------------------------------------- */

static double getpid_calls(void)
{
	uint64_t start = ticks();

	for (int call = 0; call < CALLS; call++) {
		long result = 39;

		__asm__ volatile("syscall" : "+a"(result) : : "rcx", "r11", "memory");
	}
	return ticks() - start;
}

static double touch(volatile char *pages)
{
	uint64_t start = ticks();

	for (int page = 0; page < PAGES; page++)
		pages[page * PAGE] = 1;
	return ticks() - start;
}

static char *some_pages(void)
{
	return mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static double anonymous_faults(void)
{
	char *pages = some_pages();
	double took;

	if (pages == MAP_FAILED)
		return -1;
	took = touch(pages);
	return munmap(pages, PAGES * PAGE) ? -1 : took;
}

static int ended_well(pid_t child)
{
	int status;

	if (waitpid(child, &status, 0) != child)
		return 0;
	errno = ECHILD;
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* The child writes to pages that it shares with its parent, and says how long that took. */
static double copying_faults(void)
{
	char *pages = some_pages();
	double took = -1;
	int ends[2];
	pid_t child;

	if (pages == MAP_FAILED || pipe(ends))
		return -1;
	touch(pages);
	child = fork();
	if (child == 0) {
		took = touch(pages);
		_exit(write(ends[1], &took, sizeof(took)) != sizeof(took));
	}
	close(ends[1]);
	if (child < 0 || read(ends[0], &took, sizeof(took)) != sizeof(took) || !ended_well(child))
		took = -1;
	close(ends[0]);
	munmap(pages, PAGES * PAGE);
	return took;
}

/* --- processes ----------------------------------------------------------------------------------------------- */

/* Starts FORKS children, one after the other, each of which ends at once, or becomes the program. */
static double children(char *const program[])
{
	uint64_t start = ticks();

	for (int one = 0; one < FORKS; one++) {
		pid_t child = fork();

		if (child == 0) {
			if (program)
				execv(program[0], program + 1);
			_exit(program ? 127 : 0);
		}
		if (child < 0 || !ended_well(child))
			return -1;
	}
	return ticks() - start;
}

static double forks(void)
{
	return children(NULL);
}

static double execs(void)
{
	static char *const program[] = { BUSYBOX, "true", NULL };

	return children(program);
}

/* --- a shell that waits for lines ---------------------------------------------------------------------------- */

struct shell {
	pid_t pid;
	int to, from;
};

static int start_shell(struct shell *shell)
{
	int to[2], from[2];

	if (pipe2(to, O_CLOEXEC))
		return -1;
	if (pipe2(from, O_CLOEXEC)) {
		close(to[0]);
		close(to[1]);
		return -1;
	}
	shell->pid = fork();
	if (shell->pid == 0) {
		dup2(to[0], 0);
		dup2(from[1], 1);
		execl(BUSYBOX, "sh", NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	shell->to = to[1];
	shell->from = from[0];
	return shell->pid < 0 ? -1 : 0;
}

/* Has the shell run a line; ticks until it says that it is done. */
static double tell(struct shell *shell, const char *line)
{
	uint64_t start = ticks();
	char answer;

	if (dprintf(shell->to, "%s; echo\n", line) < 0)
		return -1;
	errno = EPIPE;
	if (read(shell->from, &answer, 1) != 1)
		return -1;
	return ticks() - start;
}

static int end_shell(struct shell *shell)
{
	close(shell->to);
	close(shell->from);
	return ended_well(shell->pid) ? 0 : -1;
}

static struct shell busybox;

/* What subshells take beyond the same loop without any. */
static double subshells(void)
{
	char line[128];
	double with, without;

	snprintf(line, sizeof(line), "i=0; while [ $i -lt %d ]; do (:); i=$((i+1)); done", SUBSHELLS);
	with = tell(&busybox, line);
	snprintf(line, sizeof(line), "i=0; while [ $i -lt %d ]; do { :; }; i=$((i+1)); done", SUBSHELLS);
	without = tell(&busybox, line);
	return with < 0 || without < 0 ? -1 : with - without;
}

static void busybox_forks(void)
{
	if (start_shell(&busybox)) {
		refuse("proc_fork_exit_wait_busybox", strerror(errno));
		return;
	}
	row("proc_fork_exit_wait_busybox", subshells, SUBSHELLS);
	end_shell(&busybox);
}

static int free_pages(void)
{
	struct sysinfo info;

	if (sysinfo(&info))
		return -1;
	return (unsigned long long)info.freeram * (info.mem_unit ? info.mem_unit : 1) / PAGE;
}

static int more_shells(struct shell *shells, int count)
{
	for (int one = 0; one < count; one++)
		if (start_shell(&shells[one]) || tell(&shells[one], ":") < 0)
			return -1;
	return free_pages();
}

/* Pages that the machine has less for each shell that waits for a line. */
static void idle_shells(void)
{
	static struct shell shells[FIRST_SHELLS + MORE_SHELLS];
	int before = more_shells(shells, FIRST_SHELLS);
	int after = before < 0 ? -1 : more_shells(shells + FIRST_SHELLS, MORE_SHELLS);
	double each = (double)(before - after) / MORE_SHELLS;

	if (after < 0)
		refuse("proc_pages_of_idle_shell", strerror(errno));
	else
		printf("bench proc_pages_of_idle_shell %.2f %.2f %.2f %.2f %d 1\n", each, each, each, each, MORE_SHELLS);
	for (int one = 0; one < FIRST_SHELLS + MORE_SHELLS && shells[one].pid > 0; one++)
		end_shell(&shells[one]);
}

/* --- the chapter's line -------------------------------------------------------------------------------------- */

static double chapters_line(void)
{
	uint64_t start = ticks();
	pid_t child = fork();

	if (child == 0) {
		execl(BUSYBOX, "sh", "-c", LINE, NULL);
		_exit(127);
	}
	return child < 0 || !ended_well(child) ? -1 : (double)(ticks() - start);
}

/* A file of a mebibyte, where there is none yet. */
static int make_big_file(void)
{
	static char block[1 << 16];
	int file = open(BIGFILE, O_WRONLY | O_CREAT | O_EXCL, 0644);

	if (file < 0)
		return errno == EEXIST ? 0 : -1;
	memset(block, '*', sizeof(block));
	for (int written = 0; written < BIG; written += sizeof(block))
		if (write(file, block, sizeof(block)) != sizeof(block))
			return -1;
	return close(file);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		rounds = atoi(argv[1]);
	if (argc > 2 || rounds < 1 || rounds > MOST_ROUNDS) {
		fprintf(stderr, "usage: procbench [ROUNDS], at most %d\n", MOST_ROUNDS);
		return 2;
	}
	/* A line each, whoever reads; and nothing is left in the buffer for a child to write once more. */
	setvbuf(stdout, NULL, _IOLBF, 0);
	row("proc_getpid", getpid_calls, CALLS);
	row("proc_fault_anonymous", anonymous_faults, PAGES);
	row("proc_fault_copy_on_write", copying_faults, PAGES);
	row("proc_fork_exit_wait", forks, FORKS);
	row("proc_fork_exec_exit_wait", execs, FORKS);
	busybox_forks();
	if (make_big_file())
		refuse("proc_cat_bigfile_scullp", strerror(errno));
	else
		row("proc_cat_bigfile_scullp", chapters_line, 1);
	idle_shells();
	return failed;
}
