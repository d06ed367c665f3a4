/*
 * pages.c: "get_free_page and Friends": pages by themselves and in blocks, and how a driver has its quanta of them.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <asm/io.h>

#include "chapter.h"

static int is_zero(const char *bytes, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (bytes[i])
            return 0;
    return 1;
}

static int single_pages(void)
{
    unsigned long zeroed = get_zeroed_page(GFP_KERNEL), other = __get_free_page(GFP_KERNEL);

    if (zeroed && other)
        printk(KERN_INFO "chapter: get_zeroed_page %s, __get_free_page as it comes\n",
               is_zero((char *)zeroed, PAGE_SIZE) ? "clears" : "does not clear");
    /* Page 0 is no page: nothing is done. */
    free_page(zeroed);
    free_page(other);
    return zeroed && other ? 0 : -ENOMEM;
}

/* A quantum of a driver like scullp, which remembers the order: what is freed by another damages, or is refused. */
struct quantum {
    void *data;
    unsigned long order;
};

static int fill(struct quantum *quantum)
{
    if (!quantum->data)
        quantum->data = (void *)__get_free_pages(GFP_KERNEL, quantum->order);
    if (!quantum->data)
        return -ENOMEM;
    memset(quantum->data, 0, PAGE_SIZE << quantum->order);
    return 0;
}

static void release(struct quantum *quantum)
{
    if (quantum->data)
        free_pages((unsigned long)quantum->data, quantum->order);
    quantum->data = NULL;
}

static int blocks(void)
{
    struct quantum quantum = {NULL, 3};
    unsigned long dma = __get_dma_pages(GFP_KERNEL, 1);
    int result = fill(&quantum);

    if (result == 0 && dma)
        printk(KERN_INFO "chapter: order 3 is %lu bytes at a multiple of as many, order 10 %s; DMA pages %s 16 MB\n",
               PAGE_SIZE << quantum.order, __get_free_pages(GFP_KERNEL, 10) ? "is had" : "is refused",
               virt_to_phys((void *)dma) < 16UL << 20 ? "below" : "above");
    release(&quantum);
    free_pages(dma, 1);
    return dma ? result : -ENOMEM;
}

int whole_pages(void)
{
    int result = single_pages();

    return result ? result : blocks();
}
