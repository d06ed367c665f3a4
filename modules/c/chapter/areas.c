/*
 * areas.c: "vmalloc and Friends": areas that are contiguous in virtual addresses alone, and the memory of devices.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/pgtable.h>

#include "chapter.h"

/* A timer of the machine's: its second register says how long a tick takes, in 10^-15 seconds. */
#define TIMER 0xfed00000UL
#define PERIOD 4

/* The order of a quantum of a driver like scullv: 16 pages at a time. */
#define ORDER 4

int virtual_areas(void)
{
    void *one = vmalloc(PAGE_SIZE << ORDER), *next = vmalloc(PAGE_SIZE << ORDER);

    if (one && next) {
        memset(one, 0, PAGE_SIZE << ORDER);
        memset(next, 0, PAGE_SIZE << ORDER);
        printk(KERN_INFO "chapter: two areas of 16 pages lie %li pages apart, %s\n",
               ((char *)next - (char *)one) >> PAGE_SHIFT,
               (unsigned long)one >= VMALLOC_START && (unsigned long)next < VMALLOC_END ? "in the range of vmalloc's"
                                                                                         : "elsewhere");
    }
    vfree(one);
    vfree(next);
    return one && next ? 0 : -ENOMEM;
}

/* ioremap allocates nothing. What it returns is no pointer to follow: readl and its kin do. */
int device_memory(void)
{
    void *period = ioremap(TIMER + PERIOD, 4);

    if (!period)
        return -ENODEV;
    printk(KERN_INFO "chapter: a device's memory at an offset of %lu in its page says %u\n",
           (unsigned long)period & (PAGE_SIZE - 1), readl(period));
    iounmap(period);
    return 0;
}
