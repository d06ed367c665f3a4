/* Time: ticks since the machine started, and what the clock says. */
#ifndef _LINUX_TIME_H
#define _LINUX_TIME_H

#include <linux/types.h>
#include <linux/param.h>

struct timeval {
	time_t tv_sec;
	long tv_usec;
};

struct timespec {
	time_t tv_sec;
	long tv_nsec;
};

/* Ticks since the start, HZ of them in a second. */
extern volatile unsigned long jiffies;

#define time_after(a, b) ((long) (b) - (long) (a) < 0)
#define time_before(a, b) time_after((b), (a))
#define time_after_eq(a, b) ((long) (a) - (long) (b) >= 0)
#define time_before_eq(a, b) time_after_eq((b), (a))

/* The time since 1970. Any context. */
extern void do_gettimeofday(struct timeval *now);
#define get_fast_time do_gettimeofday

#endif
