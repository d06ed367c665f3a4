/*
 * locking.c: locks that are tried, locks of readers and writers, and interrupts that are off.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <asm/semaphore.h>
#include <asm/system.h>

#include "check.h"

/* The flag of the processor's that lets interrupts in. */
#define INTERRUPTS 0x200

static int interrupts_are_on(void)
{
    unsigned long flags;

    save_flags(flags);
    return (flags & INTERRUPTS) != 0;
}

/* Whether somebody who may sleep gets memory now. */
static int may_sleep(void)
{
    void *object = kmalloc(10, GFP_KERNEL);
    int is_there = object != NULL;

    kfree(object);
    return is_there;
}

static void check_spinlocks(void)
{
    spinlock_t lock = SPIN_LOCK_UNLOCKED;

    EXPECT(spin_trylock(&lock) && spin_is_locked(&lock) && !spin_trylock(&lock));
    spin_unlock(&lock);
    EXPECT(!spin_is_locked(&lock) && may_sleep());
    spin_lock_irq(&lock);
    EXPECT(!interrupts_are_on());
    spin_unlock_irq(&lock);
    spin_lock_bh(&lock);
    EXPECT(spin_is_locked(&lock));
    spin_unlock_bh(&lock);
    EXPECT(interrupts_are_on() && may_sleep());
}

static void check_readers_and_writers(void)
{
    rwlock_t lock = RW_LOCK_UNLOCKED;
    unsigned long flags;

    rwlock_init(&lock);
    read_lock(&lock);
    EXPECT(spin_is_locked(&lock));
    read_unlock(&lock);
    write_lock(&lock);
    EXPECT(spin_is_locked(&lock));
    write_unlock(&lock);
    read_lock_irqsave(&lock, flags);
    EXPECT(!interrupts_are_on());
    read_unlock_irqrestore(&lock, flags);
    write_lock_irqsave(&lock, flags);
    EXPECT(!interrupts_are_on());
    write_unlock_irqrestore(&lock, flags);
    EXPECT(!spin_is_locked(&lock) && interrupts_are_on() && may_sleep());
}

/* The last kmalloc is refused and reported: it may sleep, with interrupts off. */
static void check_interrupts_off(void)
{
    unsigned long flags, inner;

    save_flags(flags);
    cli();
    EXPECT(!interrupts_are_on());
    restore_flags(flags);
    EXPECT(interrupts_are_on());
    save_and_cli(flags);
    local_irq_save(inner);
    local_irq_restore(inner);
    EXPECT(!interrupts_are_on());
    restore_flags(flags);
    local_irq_disable();
    EXPECT(!interrupts_are_on());
    local_irq_enable();
    EXPECT(interrupts_are_on() && may_sleep());
    cli();
    EXPECT(!may_sleep());
    sti();
    EXPECT(interrupts_are_on() && may_sleep());
}

static void check_mutexes(void)
{
    static DECLARE_MUTEX_LOCKED(locked);
    struct semaphore made;

    EXPECT(down_trylock(&locked));
    up(&locked);
    EXPECT(!down_trylock(&locked));
    init_MUTEX(&made);
    EXPECT(!down_trylock(&made));
    init_MUTEX_LOCKED(&made);
    EXPECT(down_trylock(&made));
}

void check_locking(void)
{
    check_spinlocks();
    check_readers_and_writers();
    check_interrupts_off();
    check_mutexes();
}
