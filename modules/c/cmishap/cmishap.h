/* What the mistakes of cmishap have in common. */
#ifndef CMISHAP_H
#define CMISHAP_H

#include <linux/types.h>

/* A function that is to be found in reports by its name. */
#define MISTAKE static void __attribute__((noinline))

struct mistake {
    const char *name;
    void (*make)(void);
};

#define NAMED(function) {#function, function}

/* What the next write returns beyond its count. */
extern size_t excess;

/* Those of calls.c. Ends with a name of NULL. */
extern const struct mistake call_mistakes[];

/* Has a timer call the function, and waits until that rings. */
void have_called(void (*function)(unsigned long));

/* Wakes who waits; any context. */
void ring(void);

/* Waits for that; not 0 if a signal came first. */
int wait_for_ring(void);

#endif
