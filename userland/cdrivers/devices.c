/* Names for the devices of drivers in C, processes of other users, and signals. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../calls/check.h"
#include "devices.h"

/* The driver's major number as /proc/devices has it; -1 and ENODEV if it has none. */
static int major_of(const char *driver)
{
    FILE *devices = fopen("/proc/devices", "r");
    char line[100], name[50];
    int major, found = -1;

    if (!devices)
        return -1;
    while (found < 0 && fgets(line, sizeof(line), devices))
        if (sscanf(line, "%d %49s", &major, name) == 2 && strcmp(name, driver) == 0)
            found = major;
    fclose(devices);
    if (found < 0)
        errno = ENODEV;
    return found;
}

int open_device(const char *driver, int minor, int flags)
{
    int major = major_of(driver);
    char path[100];

    if (major < 0)
        return -1;
    snprintf(path, sizeof(path), "/dev/%s-%d-%d", driver, major, minor);
    umask(0);
    if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) && errno != EEXIST)
        return -1;
    return open(path, flags);
}

int in_child(uid_t user, int (*function)(void))
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        EXPECT(setuid(user) == 0);
        _exit(function());
    }
    EXPECT(child > 0);
    EXPECT(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void on_signal(int number, void (*function)(int), int flags)
{
    struct sigaction action = {.sa_handler = function, .sa_flags = flags};

    EXPECT(sigaction(number, &action, NULL) == 0);
}

void nap(long milliseconds)
{
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};

    nanosleep(&time, NULL);
}
