/*
 * devices.h: the devices of drivers in C, which have numbers only, as checks find them.
 */
#ifndef DEVICES_H
#define DEVICES_H

#include <sys/types.h>

/* Opens a device of the driver: makes a name for it, unless there is one. -1 and errno if that fails. */
int open_device(const char *driver, int minor, int flags);

/* Runs the function in a process of its own, as that user; its status, or 128 and the signal that ended it. */
int in_child(uid_t user, int (*function)(void));

/* Has a function called when a signal comes; with SA_RESTART among the flags calls go on after it. */
void on_signal(int number, void (*function)(int), int flags);

/* Sleeps so many milliseconds. */
void nap(long milliseconds);

#endif
