/*
 * later.c: tasklets, a driver's own task queue, sleep with an end, and sleepers whose queue is freed.
 */
#include <linux/kernel.h>
#include <linux/interrupt.h>
#include <linux/malloc.h>
#include <linux/sched.h>
#include <linux/tqueue.h>
#include <linux/delay.h>

#include "check.h"

/* How long the sleepers sleep, in ticks. */
#define SOON 3

static DECLARE_WAIT_QUEUE_HEAD(queue);
static volatile long sum;

static void tick(unsigned long amount)
{
    sum += amount;
    wake_up_all(&queue);
}

static DECLARE_TASKLET(declared, tick, 7);

static void check_tasklets(void)
{
    static struct tasklet_struct made;

    sum = 0;
    tasklet_schedule(&declared);
    EXPECT(wait_event_interruptible(queue, sum) == 0 && sum == 7);
    tasklet_init(&made, tick, 9);
    sum = 0;
    tasklet_hi_schedule(&made);
    wait_event(queue, sum);
    EXPECT(sum == 9);
    tasklet_kill(&made);
    tasklet_kill(&declared);
}

static void add(void *amount)
{
    sum += *(int *)amount;
    wake_up_all(&queue);
}

static void check_queues(void)
{
    static DECLARE_TASK_QUEUE(own);
    static struct tq_struct task;
    int amount = 11;

    INIT_TQUEUE(&task, add, &amount);
    sum = 0;
    EXPECT(queue_task(&task, &own) && !queue_task(&task, &own) && sum == 0);
    run_task_queue(&own);
    run_task_queue(&own);
    EXPECT(sum == 11);
    sum = 0;
    queue_task(&task, &tq_scheduler);
    wait_event(queue, sum);
    EXPECT(sum == 11);
    flush_scheduled_tasks();
}

static void check_sleep(void)
{
    unsigned long begin = jiffies;
    struct timeval now;

    EXPECT(sleep_on_timeout(&queue, SOON) == 0 && time_after_eq(jiffies, begin + SOON));
    EXPECT(time_before(begin, jiffies) && time_before_eq(begin, jiffies));
    do_gettimeofday(&now);
    EXPECT(now.tv_sec >= 0 && now.tv_usec >= 0 && now.tv_usec < 1000000);
    mdelay(1);
}

/* What the kernel's own thread does meanwhile: it sleeps on a queue that goes. */
static wait_queue_head_t *fleeting;
static volatile int asleep, awake;

static void doze(void *unused)
{
    asleep = 1;
    awake = 1 + sleep_on_timeout(fleeting, SOON);
    wake_up(&queue);
}

/* Whoever sleeps is on no list that goes with the queue's memory; so that others may have that at once. */
static void check_freed_queue(void)
{
    static struct tq_struct task = {routine: doze};
    void *object;

    fleeting = kmalloc(sizeof(*fleeting), GFP_KERNEL);
    EXPECT(fleeting);
    init_waitqueue_head(fleeting);
    asleep = awake = 0;
    schedule_task(&task);
    while (!asleep)
        sleep_on_timeout(&queue, 1);
    kfree(fleeting);
    object = kmalloc(sizeof(*fleeting), GFP_KERNEL);
    EXPECT(object);
    memset(object, 0x5a, sizeof(*fleeting));
    wait_event(queue, awake);
    EXPECT(awake == 1 && *(char *)object == 0x5a);
    kfree(object);
    flush_scheduled_tasks();
}

/* Sleep without an end: until somebody wakes the queue. */
static void doze_on(void *unused)
{
    asleep = 1;
    sleep_on(fleeting);
    awake = 1;
    wake_up_interruptible_all(&queue);
}

static void check_sleeper(void)
{
    static struct tq_struct task = {routine: doze_on};
    static wait_queue_head_t still;

    fleeting = &still;
    asleep = awake = 0;
    schedule_task(&task);
    while (!asleep)
        sleep_on_timeout(&queue, 1);
    sleep_on_timeout(&queue, 1);
    EXPECT(!awake);
    wake_up_sync(&still);
    EXPECT(wait_event_interruptible(queue, awake) == 0);
    flush_scheduled_tasks();
}

void check_later(void)
{
    check_tasklets();
    check_queues();
    check_sleep();
    check_freed_queue();
    check_sleeper();
}
