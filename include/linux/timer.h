/*
 * Timers: a call at a tick, in interrupt context, where nothing may sleep.
 *
 * The kernel remembers a timer by its address while it waits; what it calls then it notes when the timer is added. One
 * that a module leaves behind is taken back at rmmod, and reported. 256 of them may wait at a time.
 */
#ifndef _LINUX_TIMER_H
#define _LINUX_TIMER_H

#include <linux/time.h>

struct timer_list {
	unsigned long expires;			/* the tick at which it is called, of jiffies */
	unsigned long data;
	void (*function)(unsigned long data);
};

#define init_timer(timer) ((void) (timer))
extern int timer_pending(const struct timer_list *timer);

/* Any context, the timer's own function included. */
extern void add_timer(struct timer_list *timer);
/* Moves it, and has it wait again if it did not. 1 if it waited. */
extern int mod_timer(struct timer_list *timer, unsigned long expires);
/* 1 if it waited. */
extern int del_timer(struct timer_list *timer);
/* The same, and its function does not run after this. Not from the function itself. */
extern int del_timer_sync(struct timer_list *timer);

#endif
