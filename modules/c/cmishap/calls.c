/*
 * Mistakes in calls between kernel and driver: functions of each kind that return with a lock held, or with interrupts
 * off, a timer that never ends, a number that
 * there is not, more bytes than were asked for.
 */
#include <linux/module.h>

#include <linux/interrupt.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/timer.h>
#include <linux/tqueue.h>
#include <asm/io.h>

#include "cmishap.h"

static spinlock_t lock = SPIN_LOCK_UNLOCKED;

/* Each mistake finds it free, whatever the one before has left. */
static void take_fresh(void)
{
    spin_lock_init(&lock);
    spin_lock(&lock);
}

MISTAKE leave_lock(void)
{
    take_fresh();
}

MISTAKE give_lock_back(void)
{
    spin_unlock(&lock);
}

MISTAKE leave_irqsave(void)
{
    unsigned long flags;

    spin_lock_init(&lock);
    spin_lock_irqsave(&lock, flags);
    (void)flags;
}

MISTAKE leave_cli(void)
{
    cli();
}

MISTAKE leave_all(void)
{
    cli();
    take_fresh();
    spin_lock(&lock);
}

static void leaving_timer(unsigned long unused)
{
    ring();
    take_fresh();
}

static void closing_timer(unsigned long unused)
{
    ring();
    cli();
}

MISTAKE leave_in_timer(void)
{
    have_called(leaving_timer);
}

MISTAKE cli_in_timer(void)
{
    have_called(closing_timer);
}

static void leaving_tasklet(unsigned long unused)
{
    ring();
    take_fresh();
}

static DECLARE_TASKLET(tasklet, leaving_tasklet, 0);

MISTAKE leave_in_tasklet(void)
{
    tasklet_schedule(&tasklet);
    wait_for_ring();
}

static void leaving_task(void *unused)
{
    ring();
    take_fresh();
}

static struct tq_struct task = {routine: leaving_task};

MISTAKE leave_in_task(void)
{
    schedule_task(&task);
    wait_for_ring();
}

static int leaving_read(char *page, char **start, off_t offset, int count, int *eof, void *data)
{
    take_fresh();
    *eof = 1;
    return sprintf(page, "all of it\n");
}

/* Makes the file, which the next one removes. */
MISTAKE leave_in_proc(void)
{
    create_proc_read_entry("cmishap", 0, NULL, leaving_read, NULL);
}

MISTAKE end_proc(void)
{
    remove_proc_entry("cmishap", NULL);
}

/* The clock that keeps the date can also interrupt, some 1000 times a second. */
#define RTC_IRQ 8
#define RTC_CONTROL 0x0b
#define RTC_PERIODIC 0x40
#define RTC_CAUSE 0x0c

static unsigned char rtc_read(int which)
{
    outb(which, 0x70);
    return inb(0x71);
}

static void rtc_write(int which, unsigned char value)
{
    outb(which, 0x70);
    outb(value, 0x71);
}

static void leaving_handler(int irq, void *device, struct pt_regs *registers)
{
    rtc_write(RTC_CONTROL, rtc_read(RTC_CONTROL) & ~RTC_PERIODIC);
    rtc_read(RTC_CAUSE);
    ring();
    take_fresh();
}

MISTAKE leave_in_handler(void)
{
    if (request_irq(RTC_IRQ, leaving_handler, 0, "cmishap", NULL))
        return;
    rtc_write(RTC_CONTROL, rtc_read(RTC_CONTROL) | RTC_PERIODIC);
    rtc_read(RTC_CAUSE);
    wait_for_ring();
    free_irq(RTC_IRQ, NULL);
}

static struct timer_list renewed;
static unsigned long first_call;
static int calls;

static void renewing_timer(unsigned long unused)
{
    if (calls++ == 0)
        first_call = jiffies;
    if (calls == 5)
        return ring();
    renewed.expires = jiffies;
    add_timer(&renewed);
}

/* It is due at once, again and again. */
MISTAKE renew_timer(void)
{
    calls = 0;
    renewed.function = renewing_timer;
    renewed.expires = jiffies;
    add_timer(&renewed);
    wait_for_ring();
    printk("cmishap: %s\n", jiffies - first_call < 4 ? "the calls came all at once" : "a call came at each tick");
}

/* There is no such number. */
MISTAKE register_255(void)
{
    static struct file_operations none;

    printk("cmishap: register_chrdev says %i\n", register_chrdev(255, "none", &none));
}

size_t excess;

MISTAKE write_too_much(void)
{
    excess = 1000;
}

const struct mistake call_mistakes[] = {
    NAMED(leave_lock), NAMED(give_lock_back), NAMED(leave_irqsave), NAMED(leave_cli), NAMED(leave_all),
    NAMED(leave_in_timer), NAMED(cli_in_timer), NAMED(leave_in_tasklet), NAMED(leave_in_task), NAMED(leave_in_proc),
    NAMED(end_proc), NAMED(leave_in_handler), NAMED(renew_timer), NAMED(register_255),
    NAMED(write_too_much), {NULL, NULL},
};
