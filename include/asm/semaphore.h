/*
 * Semaphores: locks that sleep, for process context. All zero is a semaphore whose count is 0, and on which nobody
 * waits; so one that memset has cleared may be made by sema_init afterwards.
 */
#ifndef _ASM_SEMAPHORE_H
#define _ASM_SEMAPHORE_H

struct semaphore {
	volatile int count;		/* how many may come in */
	volatile int __sleepers;	/* how many wait; nothing points to or from here */
};

#define __SEMAPHORE_INITIALIZER(name, value) { (value), 0 }
#define MUTEX { 1, 0 }
#define MUTEX_LOCKED { 0, 0 }
#define DECLARE_MUTEX(name) struct semaphore name = MUTEX
#define DECLARE_MUTEX_LOCKED(name) struct semaphore name = MUTEX_LOCKED

static inline void sema_init(struct semaphore *semaphore, int value)
{
	semaphore->count = value;
	semaphore->__sleepers = 0;
}

#define init_MUTEX(semaphore) sema_init((semaphore), 1)
#define init_MUTEX_LOCKED(semaphore) sema_init((semaphore), 0)

/* Comes in, and waits for that as long as it takes. */
extern void down(struct semaphore *semaphore);
/* The same, but a signal ends the wait: EINTR with a minus. */
extern int down_interruptible(struct semaphore *semaphore);
/* Does not wait: 0 if it is in. Any context. */
extern int down_trylock(struct semaphore *semaphore);
/* Lets the next one in. Any context. */
extern void up(struct semaphore *semaphore);

#endif
