/*
 * devmap PAGED OTHER: what a program finds of the memory of devices when it maps them. PAGED is a device whose pages
 * can be mapped, OTHER one whose memory cannot. Says each thing that it has found, and ends at the first that is wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 4 };

static sigjmp_buf back;
static siginfo_t fault;

static void expect(int holds, const char *what)
{
    if (!holds) {
        printf("not so: %s (%s)\n", what, strerror(errno));
        exit(1);
    }
    printf("%s\n", what);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault = *info;
    siglongjmp(back, 1);
}

/* Whether reading there is answered by SIGBUS for this very address. */
static int is_bus_error(volatile char *at)
{
    if (sigsetjmp(back, 1) == 0) {
        (void)*at;
        return 0;
    }
    return fault.si_signo == SIGBUS && fault.si_code == BUS_ADRERR && fault.si_addr == (void *)at;
}

/* Whether the device can be emptied; it is, if so. */
static int empties(const char *device)
{
    int file = open(device, O_WRONLY | O_TRUNC);

    if (file >= 0)
        close(file);
    return file >= 0;
}

/* How the child ended that runs this. */
static int child_status(void (*run)(char *), char *map)
{
    int status = -1;
    pid_t child = fork();

    if (child == 0) {
        run(map);
        _exit(0);
    }
    waitpid(child, &status, 0);
    return status;
}

static void write_as_child(char *map)
{
    map[1] = 'c';
}

static int names_in_maps(const char *device)
{
    char line[256];
    int count = 0;
    FILE *maps = fopen("/proc/self/maps", "r");

    while (maps && fgets(line, sizeof line, maps))
        count += strstr(line, device) != NULL;
    if (maps)
        fclose(maps);
    return count;
}

int main(int argc, char **argv)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    char bytes[PAGE], *map, *copy;
    int file, other;

    if (argc != 3) {
        fprintf(stderr, "usage: devmap PAGED OTHER\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sigaction(SIGBUS, &action, NULL);

    other = open(argv[2], O_RDWR);
    expect(other >= 0 && mmap(NULL, PAGE, PROT_READ, MAP_SHARED, other, 0) == MAP_FAILED && errno == ENODEV,
           "a device without pages is not mapped");

    expect(empties(argv[1]), "the device is emptied");
    file = open(argv[1], O_RDWR);
    memset(bytes, 'a', sizeof bytes);
    expect(file >= 0 && write(file, bytes, PAGE) == PAGE && lseek(file, 2 * PAGE, SEEK_SET) == 2 * PAGE &&
               write(file, bytes, 10) == 10,
           "it has a page, a hole, and ten bytes");
    map = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    copy = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
    expect(map != MAP_FAILED && copy != MAP_FAILED, "it is mapped, to share and to copy");
    expect(names_in_maps(argv[1]) == 2, "/proc/self/maps shows both");
    expect(map[0] == 'a' && map[2 * PAGE + 9] == 'a', "what was written is in memory");
    map[0] = 'm';
    expect(pread(file, bytes, 1, 0) == 1 && bytes[0] == 'm', "what is written in memory is read");
    expect(pwrite(file, "w", 1, 5) == 1 && map[5] == 'w', "what is written then is in memory at once");
    copy[0] = 'p';
    expect(map[0] == 'm' && copy[5] == 'w', "the copy is its own from the first write on");
    expect(pwrite(file, map, PAGE, 0) == PAGE && map[0] == 'm', "it is written to itself from its own mapping");
    expect(is_bus_error(map + PAGE), "the hole is SIGBUS");
    expect(is_bus_error(map + 3 * PAGE), "what is beyond the end is SIGBUS");
    expect(child_status(write_as_child, map) == 0 && map[1] == 'c', "a child shares the pages");
    close(file);
    expect(!empties(argv[1]) && errno == EBUSY, "while it is mapped it is not emptied");
    expect(munmap(map + PAGE, PAGE) == 0 && map[0] == 'm' && map[2 * PAGE] == 'a', "a page is unmapped in between");
    expect(munmap(map, PAGE) == 0 && !empties(argv[1]) && errno == EBUSY, "the rest keeps it busy");
    expect(munmap(map + 2 * PAGE, 2 * PAGE) == 0 && !empties(argv[1]) && errno == EBUSY, "so does the copy");
    expect(munmap(copy, PAGE) == 0 && empties(argv[1]), "with the last area gone it is emptied");

    file = open(argv[1], O_RDWR);
    expect(file >= 0 && write(file, "x", 1) == 1, "it has a byte");
    expect(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0) != MAP_FAILED, "it is mapped until the program ends");
    return 0;
}
