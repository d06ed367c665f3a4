/* Handlers of interrupt lines, and what they put off. */
#ifndef _LINUX_INTERRUPT_H
#define _LINUX_INTERRUPT_H

#include <linux/sched.h>
#include <asm/ptrace.h>

#define SA_INTERRUPT 0x20000000		/* with other interrupts off, as all handlers run here */
#define SA_SAMPLE_RANDOM 0x10000000
#define SA_SHIRQ 0x04000000		/* others may have handlers on the line: the device tells them apart */

#define IMMEDIATE_BH 7
#define TIMER_BH 0

/* The calls of tq_immediate run when the interrupt ends. */
extern void mark_bh(int which);

/* A call that is put off, without a queue to be named. */
struct tasklet_struct {
	struct tq_struct __task;
	void (*func)(unsigned long data);
	unsigned long data;
};

extern void __tasklet_call(void *tasklet);
#define DECLARE_TASKLET(name, function, argument) \
	struct tasklet_struct name = { { 0, __tasklet_call, &name }, (function), (argument) }

extern void tasklet_init(struct tasklet_struct *tasklet, void (*function)(unsigned long data), unsigned long data);
extern void tasklet_schedule(struct tasklet_struct *tasklet);
#define tasklet_hi_schedule(tasklet) tasklet_schedule(tasklet)
/* It does not run after this. Process context. */
extern void tasklet_kill(struct tasklet_struct *tasklet);

#endif
