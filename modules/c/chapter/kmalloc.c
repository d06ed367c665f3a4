/*
 * kmalloc.c: "The Real Story of kmalloc": what the flags are for, and what becomes of a size.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/timer.h>
#include <asm/io.h>

#include "chapter.h"

/* Where the memory ends that ISA DMA reaches. */
#define DMA_END (16UL << 20)

/* What a timer says that got nothing. */
#define ERR_NONE ((void *)-1L)

static DECLARE_WAIT_QUEUE_HEAD(done);

/* Runs outside of any process's context: nobody may be put to sleep, so it asks with GFP_ATOMIC. */
static void in_a_timer(unsigned long result)
{
    void **object = (void **)result;

    *object = kmalloc(100, GFP_ATOMIC);
    if (!*object)
        *object = ERR_NONE;
    wake_up_interruptible(&done);
}

int flags_argument(void)
{
    void *object, *from_timer = NULL;
    struct timer_list timer;

    /* On behalf of a process: this may sleep until there is memory. */
    object = kmalloc(100, GFP_KERNEL);
    if (!object)
        return -ENOMEM;
    kfree(object);

    init_timer(&timer);
    timer.function = in_a_timer;
    timer.data = (unsigned long)&from_timer;
    timer.expires = jiffies + 1;
    add_timer(&timer);
    wait_event_interruptible(done, from_timer);
    del_timer_sync(&timer);
    if (!from_timer || from_timer == ERR_NONE)
        return -ENOMEM;
    kfree(from_timer);

    /* Memory that ISA DMA reaches: a single flag, beside a collection. */
    object = kmalloc(100, GFP_KERNEL | __GFP_DMA);
    if (!object)
        return -ENOMEM;
    printk(KERN_INFO "chapter: GFP_KERNEL, GFP_ATOMIC in a timer, __GFP_DMA %s 16 MB\n",
           virt_to_phys(object) < DMA_END ? "below" : "above");
    kfree(object);
    return 0;
}

int size_argument(void)
{
    void *small = kmalloc(1, GFP_KERNEL), *quantum = kmalloc(4000, GFP_KERNEL), *largest = kmalloc(131072, GFP_KERNEL);

    if (small && quantum && largest)
        printk(KERN_INFO "chapter: 1, 4000 and 131072 bytes take %i, %i and %i; more %s\n", (int)ksize(small),
               (int)ksize(quantum), (int)ksize(largest), kmalloc(131073, GFP_KERNEL) ? "too" : "is too much");
    /* Freeing no object does nothing. */
    kfree(small);
    kfree(quantum);
    kfree(largest);
    return small && quantum && largest ? 0 : -ENOMEM;
}
