/*
 * check.h: how cnames tries the names of the interface for drivers in C, and how what is not so is told.
 */
#ifndef CHECK_H
#define CHECK_H

#include <linux/kernel.h>

/* How many expectations held, and how many did not. */
extern int cnames_held, cnames_failed;

#define EXPECT(condition)                                                                                             \
    do {                                                                                                              \
        if (condition) {                                                                                              \
            cnames_held++;                                                                                            \
        } else {                                                                                                      \
            cnames_failed++;                                                                                          \
            printk(KERN_ERR "cnames: %s:%i: not so: %s\n", __FILE__, __LINE__, #condition);                           \
        }                                                                                                             \
    } while (0)

/* first.c: how many characters a greeting has. */
int cnames_greet(void);

/* What each file tries. */
void check_headers(void);
void check_text(void);
void check_bits(void);
void check_lists(void);
void check_memory(void);
void check_caches(void);
void check_pages(void);
void check_waiting(void);
void check_calls(void);
void check_locking(void);
void check_later(void);
void check_lines(void);
void check_compat(void);

/* files.c: files in /proc, which a script reads and writes. */
void files_begin(void);
void files_end(void);

/* device.c: a device, of which a program tries the rest by reading, writing and mapping it. */
int device_begin(void);
void device_end(void);

#endif
