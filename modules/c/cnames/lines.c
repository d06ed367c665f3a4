/*
 * lines.c: interrupts that do come: the clock with a battery, which every PC has, has line 8 and can be told to tick.
 */
#include <linux/kernel.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <asm/io.h>
#include <asm/irq.h>
#include <asm/system.h>

#include "check.h"

#define LINE 8
/* Its ports: which register, and what is in that. Bit 7 of the first one holds back the interrupt of all that is bad. */
#define INDEX 0x70
#define DATA 0x71
#define HELD_BACK 0x80
/* The register that says what it interrupts for, its bit for 1024 times a second, and the register that says why. */
#define REGISTER_B (HELD_BACK | 0x0b)
#define PERIODIC 0x40
#define REGISTER_C (HELD_BACK | 0x0c)

static DECLARE_WAIT_QUEUE_HEAD(queue);
static volatile int interrupts, wrong;
static int device;

/* Reading why it interrupts lets the next one come. */
static int acknowledge(void)
{
    outb(REGISTER_C, INDEX);
    return inb(DATA);
}

static void handle(int line, void *argument, struct pt_regs *registers)
{
    if (line != LINE || argument != &device || !in_interrupt() || user_mode(registers) ||
        instruction_pointer(registers))
        wrong++;
    acknowledge();
    interrupts++;
    wake_up_interruptible(&queue);
}

/* Has it tick, or not; returns what it did before. */
static int tell(int what)
{
    unsigned long flags;
    int before;

    local_irq_save(flags);
    outb_p(REGISTER_B, INDEX);
    before = inb_p(DATA);
    outb(REGISTER_B, INDEX);
    outb((before & ~PERIODIC) | what, DATA);
    acknowledge();
    local_irq_restore(flags);
    return before & PERIODIC;
}

static void nap(void)
{
    set_current_state(TASK_UNINTERRUPTIBLE);
    schedule_timeout(5);
}

static void check_handler(void)
{
    interrupts = 0;
    EXPECT(wait_event_interruptible(queue, interrupts > 3) == 0 && wrong == 0);
}

/* While the line is held back nobody is called; what came meanwhile is not lost. */
static void check_held_back(void (*hold)(unsigned int line))
{
    int seen;

    hold(LINE);
    seen = interrupts;
    nap();
    EXPECT(interrupts == seen);
    enable_irq(LINE);
    nap();
    EXPECT(interrupts > seen + 1);
}

void check_lines(void)
{
    int before;

    EXPECT(LINE < NR_IRQS && request_irq(LINE, handle, SA_INTERRUPT, "cnames", &device) == 0);
    before = tell(PERIODIC);
    check_handler();
    check_held_back(disable_irq);
    check_held_back(disable_irq_nosync);
    tell(before);
    free_irq(LINE, &device);
}
