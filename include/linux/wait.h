/*
 * Wait queues: threads that sleep until somebody says that something has happened.
 *
 * A queue counts its wake-ups, and nothing else: who sleeps is on a list of the kernel's. So all zero is an empty queue,
 * and one whose memory is freed leaves no list broken. Who waits notes the count, looks, and then sleeps until the count
 * is another: no wake-up after the look is lost.
 */
#ifndef _LINUX_WAIT_H
#define _LINUX_WAIT_H

#include <linux/errno.h>

struct task_struct;

typedef struct __wait_queue_head {
	volatile unsigned long __wakes;
} wait_queue_head_t;

#define __WAIT_QUEUE_HEAD_INITIALIZER(name) { 0 }
#define DECLARE_WAIT_QUEUE_HEAD(name) wait_queue_head_t name = __WAIT_QUEUE_HEAD_INITIALIZER(name)
#define init_waitqueue_head(queue) ((void) ((queue)->__wakes = 0))

/* Wakes all who sleep on the queue, or of them those that a signal would wake. Any context. */
extern void wake_up(wait_queue_head_t *queue);
extern void wake_up_interruptible(wait_queue_head_t *queue);
#define wake_up_all(queue) wake_up(queue)
#define wake_up_sync(queue) wake_up(queue)
#define wake_up_interruptible_all(queue) wake_up_interruptible(queue)
#define wake_up_interruptible_sync(queue) wake_up_interruptible(queue)

/* Sleeps until the count of wake-ups is no more what it was; 0, or ERESTARTSYS with a minus after a signal. */
extern int __wait_since(wait_queue_head_t *queue, unsigned long seen, int interruptible);

/*
 * These sleep until the next wake-up. One that comes between the look and the call is lost, which is why the two below
 * are better.
 */
extern void sleep_on(wait_queue_head_t *queue);
extern void interruptible_sleep_on(wait_queue_head_t *queue);
/* For so many ticks at most; what is left of them. */
extern long sleep_on_timeout(wait_queue_head_t *queue, long ticks);
extern long interruptible_sleep_on_timeout(wait_queue_head_t *queue, long ticks);

/* Sleeps until the condition holds. It is looked at by a thread that is awake, and may sleep itself. */
#define wait_event(queue, condition) \
do { \
	unsigned long __seen; \
	for (;;) { \
		__seen = (queue).__wakes; \
		if (condition) \
			break; \
		/* Where nobody may sleep that was reported, and waiting here would be for ever. */ \
		if (__wait_since(&(queue), __seen, 0)) \
			break; \
	} \
} while (0)

/* 0 when the condition holds, or ERESTARTSYS with a minus when a signal came. */
#define wait_event_interruptible(queue, condition) \
({ \
	int __error = 0; \
	unsigned long __seen; \
	for (;;) { \
		__seen = (queue).__wakes; \
		if (condition) \
			break; \
		__error = __wait_since(&(queue), __seen, 1); \
		if (__error) \
			break; \
	} \
	__error; \
})

/* A thread's own loop: it enters itself, says by its state that it sleeps, looks, and calls schedule(). */
typedef struct __wait_queue {
	struct task_struct *task;
	wait_queue_head_t *__queue;
	unsigned long __seen;
	struct __wait_queue *__next;	/* the thread's own list, on its own stack */
} wait_queue_t;

#define DECLARE_WAITQUEUE(name, thread) wait_queue_t name = { (thread), 0, 0, 0 }
#define init_waitqueue_entry(entry, thread) ((void) ((entry)->task = (thread)))

extern void add_wait_queue(wait_queue_head_t *queue, wait_queue_t *entry);
extern void remove_wait_queue(wait_queue_head_t *queue, wait_queue_t *entry);
#define add_wait_queue_exclusive(queue, entry) add_wait_queue((queue), (entry))

/* Whether somebody may be asleep: always yes here, which is never wrong. */
#define waitqueue_active(queue) (1)

#endif
