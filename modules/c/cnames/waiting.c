/*
 * waiting.c: semaphores, spin locks, wait queues, and all that is zero being as good as what was initialised.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <asm/atomic.h>
#include <asm/semaphore.h>
#include <linux/spinlock.h>

#include "check.h"

/* Static ones: one by its macro, the others by being zero. */
static DECLARE_WAIT_QUEUE_HEAD(declared);
static DECLARE_MUTEX(mutex);
static wait_queue_head_t zero_queue;
static spinlock_t zero_lock;
static struct semaphore zero_semaphore;

static volatile int is_time;

/* A timer's function: in interrupt context. */
static void ring(unsigned long queue)
{
    is_time = 1;
    if (queue)
        wake_up_interruptible((wait_queue_head_t *)queue);
}

/* Has the queue woken in a moment. */
static void set(struct timer_list *timer, wait_queue_head_t *queue)
{
    is_time = 0;
    init_timer(timer);
    timer->function = ring;
    timer->data = (unsigned long)queue;
    timer->expires = jiffies + HZ / 50;
    add_timer(timer);
}

static void check_semaphores(void)
{
    struct semaphore *semaphore = kmalloc(sizeof(struct semaphore), GFP_KERNEL);

    EXPECT(semaphore);
    memset(semaphore, 0, sizeof(struct semaphore));
    sema_init(semaphore, 1);
    down(semaphore);
    EXPECT(down_trylock(semaphore) != 0);
    up(semaphore);
    EXPECT(down_interruptible(semaphore) == 0);
    up(semaphore);
    EXPECT(down_trylock(semaphore) == 0);
    kfree(semaphore);
    /* Zero is a semaphore that nobody can take until somebody has given. */
    EXPECT(down_trylock(&zero_semaphore) != 0);
    up(&zero_semaphore);
    down(&zero_semaphore);
    down(&mutex);
    up(&mutex);
}

static void check_locks(void)
{
    spinlock_t lock, declared_lock = SPIN_LOCK_UNLOCKED;
    unsigned long flags;
    void *object;

    spin_lock_init(&lock);
    spin_lock(&lock);
    spin_lock(&zero_lock);
    /* Nothing may sleep now: GFP_ATOMIC does not, and kfree may be called. */
    object = kmalloc(100, GFP_ATOMIC);
    EXPECT(object);
    kfree(object);
    spin_unlock(&zero_lock);
    spin_unlock(&lock);
    spin_lock_irqsave(&declared_lock, flags);
    spin_unlock_irqrestore(&declared_lock, flags);
    /* And now all may again. */
    object = kmalloc(100, GFP_KERNEL);
    EXPECT(object);
    kfree(object);
}

static void check_queues(void)
{
    wait_queue_head_t *queue = kmalloc(sizeof(wait_queue_head_t), GFP_KERNEL);
    struct timer_list timer;

    EXPECT(queue);
    memset(queue, 0, sizeof(wait_queue_head_t));
    wake_up_interruptible(queue);
    wake_up(&zero_queue);
    init_waitqueue_head(queue);
    set(&timer, queue);
    EXPECT(wait_event_interruptible(*queue, is_time) == 0 && is_time);
    set(&timer, queue);
    wait_event(*queue, is_time);
    EXPECT(is_time && wait_event_interruptible(*queue, is_time) == 0);
    kfree(queue);
    /* Sleeping without a condition: the timer rings later than that. */
    set(&timer, &declared);
    interruptible_sleep_on(&declared);
    EXPECT(is_time);
    set(&timer, &zero_queue);
    EXPECT(wait_event_interruptible(zero_queue, is_time) == 0);
    del_timer(&timer);
}

/* The way by hand, which wait_event goes too. */
static void check_entries(void)
{
    DECLARE_WAITQUEUE(entry, current);
    struct timer_list timer;

    set(&timer, &declared);
    add_wait_queue(&declared, &entry);
    set_current_state(TASK_INTERRUPTIBLE);
    while (!is_time && !signal_pending(current)) {
        schedule();
        set_current_state(TASK_INTERRUPTIBLE);
    }
    set_current_state(TASK_RUNNING);
    remove_wait_queue(&declared, &entry);
    EXPECT(is_time && current->state == TASK_RUNNING);
}

static void check_counters(void)
{
    atomic_t counter = ATOMIC_INIT(3);

    atomic_inc(&counter);
    EXPECT(atomic_read(&counter) == 4);
    atomic_set(&counter, 1);
    EXPECT(atomic_dec_and_test(&counter) && atomic_read(&counter) == 0);
    atomic_add(5, &counter);
    atomic_sub(2, &counter);
    atomic_dec(&counter);
    EXPECT(atomic_read(&counter) == 2);
}

void check_waiting(void)
{
    check_semaphores();
    check_locks();
    check_queues();
    check_entries();
    check_counters();
}
