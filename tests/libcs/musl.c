/* What a C library other than glibc asks of a kernel: its start, its heap, its streams, numbers with fractions. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static _Thread_local int own = 7;

/* musl keeps a page without rights on top of a growing heap. */
static int heap(void)
{
	char *blocks[64];

	for (int block = 0; block < 64; block++) {
		size_t size = (size_t)1000 << block % 10;

		blocks[block] = malloc(size);
		if (!blocks[block])
			return 0;
		memset(blocks[block], block, size);
	}
	for (int block = 0; block < 64; block++) {
		if (blocks[block][999] != block)
			return 0;
		free(blocks[block]);
	}
	return 1;
}

static int child(void)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		own = 8;
		_exit(42);
	}
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 42 && own == 7;
}

int main(int argc, char **argv)
{
	printf("musl: %s, %d arguments, %.3f\n", argv[0], argc - 1, argc / 3.0);
	printf("start aligned: %s\n", (uintptr_t)__builtin_frame_address(0) % 16 ? "no" : "yes");
	printf("heap: %s\n", heap() ? "good" : "bad");
	printf("child: %s\n", child() ? "good" : "bad");
	errno = 0;
	open("/nowhere", O_RDONLY);
	printf("error: %s\n", strerror(errno));
	return 3;
}
