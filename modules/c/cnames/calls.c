/*
 * calls.c: what calls a driver: timers, task queues, interrupts; and who is the current process.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <linux/timer.h>
#include <linux/tqueue.h>
#include <linux/delay.h>
#include <asm/system.h>

#include "check.h"

/* A line that the ISA bus has, and no device of ours. */
#define LINE 10
/* The clock's line, which is the kernel's. */
#define CLOCK 0

static DECLARE_WAIT_QUEUE_HEAD(queue);
static volatile int calls;

static void call(void *data)
{
    calls += *(int *)data;
    wake_up_interruptible(&queue);
}

static void ring(unsigned long amount)
{
    calls += amount;
    wake_up_interruptible(&queue);
}

static void check_timers(void)
{
    struct timer_list timer;
    unsigned long begin = jiffies;

    init_timer(&timer);
    timer.function = ring;
    timer.data = 5;
    timer.expires = jiffies + HZ * 1000;
    add_timer(&timer);
    EXPECT(timer_pending(&timer) && del_timer(&timer) == 1 && del_timer(&timer) == 0);
    add_timer(&timer);
    calls = 0;
    mod_timer(&timer, jiffies + HZ / 100);
    EXPECT(wait_event_interruptible(queue, calls) == 0 && calls == 5);
    EXPECT(!timer_pending(&timer) && del_timer_sync(&timer) == 0);
    EXPECT(time_after(jiffies, begin) || jiffies == begin);
    set_current_state(TASK_INTERRUPTIBLE);
    EXPECT(schedule_timeout(HZ / 100) == 0);
    EXPECT(interruptible_sleep_on_timeout(&queue, HZ / 100) == 0);
    udelay(1);
}

static void check_tasks(void)
{
    int amount = 3;
    struct tq_struct task = {routine: call, data: &amount};

    calls = 0;
    EXPECT(schedule_task(&task) != 0);
    EXPECT(wait_event_interruptible(queue, calls) == 0 && calls == 3);
    calls = 0;
    queue_task(&task, &tq_immediate);
    mark_bh(IMMEDIATE_BH);
    EXPECT(wait_event_interruptible(queue, calls) == 0 && calls == 3);
    calls = 0;
    queue_task(&task, &tq_timer);
    EXPECT(wait_event_interruptible(queue, calls) == 0 && calls == 3);
    flush_scheduled_tasks();
}

static void handle(int line, void *device, struct pt_regs *registers)
{
}

static void check_interrupts(void)
{
    static int device;

    EXPECT(request_irq(LINE, handle, 0, "cnames", &device) == 0);
    EXPECT(request_irq(LINE, handle, 0, "cnames", &device) == -EBUSY);
    free_irq(LINE, &device);
    EXPECT(request_irq(LINE, handle, SA_SHIRQ, "cnames", &device) == 0);
    free_irq(LINE, &device);
    EXPECT(request_irq(CLOCK, handle, 0, "cnames", &device) != 0);
    EXPECT(!in_interrupt());
}

static void check_current(void)
{
    uid_t user = current->uid;

    EXPECT(current->comm[0] && user == 0 && current->euid == 0 && current->state == TASK_RUNNING);
    EXPECT(capable(CAP_SYS_ADMIN) && capable(CAP_DAC_OVERRIDE) && !signal_pending(current));
}

void check_calls(void)
{
    check_timers();
    check_tasks();
    check_interrupts();
    check_current();
}
