/*
 * Spinlocks: for data that interrupts and timers share. Nobody sleeps while he holds one, and no allocation may; the
 * kernel counts them, so that GFP_KERNEL with a lock held is refused and reported. All zero is a free lock.
 */
#ifndef _LINUX_SPINLOCK_H
#define _LINUX_SPINLOCK_H

#include <asm/system.h>

typedef struct { volatile unsigned int __held; } spinlock_t;

#define SPIN_LOCK_UNLOCKED ((spinlock_t) { 0 })
#define spin_lock_init(lock) ((void) ((lock)->__held = 0))
#define spin_is_locked(lock) ((lock)->__held != 0)

extern void spin_lock(spinlock_t *lock);
extern void spin_unlock(spinlock_t *lock);
/* 1 if it is held now by the caller. */
extern int spin_trylock(spinlock_t *lock);

/* With interrupts off: where an interrupt handler takes the lock too. */
extern unsigned long __spin_lock_irqsave(spinlock_t *lock);
extern void spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags);
#define spin_lock_irqsave(lock, flags) ((flags) = __spin_lock_irqsave(lock))
extern void spin_lock_irq(spinlock_t *lock);
extern void spin_unlock_irq(spinlock_t *lock);

/* Without soft interrupts: where a timer or a task queue takes it too. */
#define spin_lock_bh(lock) spin_lock_irq(lock)
#define spin_unlock_bh(lock) spin_unlock_irq(lock)

/* Readers and a writer: on one processor they are one kind of lock. */
typedef spinlock_t rwlock_t;
#define RW_LOCK_UNLOCKED SPIN_LOCK_UNLOCKED
#define rwlock_init(lock) spin_lock_init(lock)
#define read_lock(lock) spin_lock(lock)
#define read_unlock(lock) spin_unlock(lock)
#define write_lock(lock) spin_lock(lock)
#define write_unlock(lock) spin_unlock(lock)
#define read_lock_irqsave(lock, flags) spin_lock_irqsave(lock, flags)
#define read_unlock_irqrestore(lock, flags) spin_unlock_irqrestore(lock, flags)
#define write_lock_irqsave(lock, flags) spin_lock_irqsave(lock, flags)
#define write_unlock_irqrestore(lock, flags) spin_unlock_irqrestore(lock, flags)

#endif
