/*
 * The thread that runs, and how it sleeps.
 *
 * The book's drivers took most of their names from here, so that this header brings along locks, wait queues, timers,
 * signals and texts as well.
 */
#ifndef _LINUX_SCHED_H
#define _LINUX_SCHED_H

#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/param.h>
#include <linux/capability.h>
#include <linux/signal.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/time.h>
#include <linux/timer.h>
#include <linux/tqueue.h>
#include <linux/kdev_t.h>
#include <asm/semaphore.h>
#include <asm/bitops.h>
#include <asm/current.h>
#include <asm/hardirq.h>
#include <asm/irq.h>

#define TASK_RUNNING 0
#define TASK_INTERRUPTIBLE 1
#define TASK_UNINTERRUPTIBLE 2

/* A terminal. */
struct tty_struct {
	kdev_t device;
};

/* A thread, as drivers see it. */
struct task_struct {
	volatile long state;		/* what schedule() takes it to be: a TASK_ */
	pid_t pid;
	uid_t uid, euid;
	gid_t gid, egid;
	char comm[16];			/* the name of its program */
	struct tty_struct *tty;		/* its controlling terminal; NULL without one */
	struct tty_struct __tty;
	wait_queue_t *__waits;		/* the queues that it has entered itself on */
	unsigned long __limit;		/* see set_fs */
};

#define set_current_state(value) set_mb(current->state, (value))
#define __set_current_state(value) ((void) (current->state = (value)))

/* Sleeps, if the state says so, until one of the thread's queues is woken; then the state is TASK_RUNNING. */
extern void schedule(void);
#define MAX_SCHEDULE_TIMEOUT (~0UL >> 1)
/* For so many ticks at most; what is left of them. */
extern long schedule_timeout(long ticks);

/* Whether a signal waits for the process: a driver's wait then ends with ERESTARTSYS. */
extern int signal_pending(struct task_struct *task);

#define suser() capable(CAP_SYS_ADMIN)

/* See linux/interrupt.h. */
struct pt_regs;
extern int request_irq(unsigned int irq, void (*handler)(int irq, void *device, struct pt_regs *registers),
	unsigned long flags, const char *name, void *device);
extern void free_irq(unsigned int irq, void *device);

#endif
