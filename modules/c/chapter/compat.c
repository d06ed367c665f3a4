/*
 * compat.c: "Backward Compatibility": the names and forms of 2.0 and 2.2.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <asm/io.h>

#include "chapter.h"

#include <compat.h>

/* Where the memory ends that ISA DMA reaches. */
#define DMA_END (16UL << 20)
/* A device's memory: a timer's. */
#define TIMER 0xfed00000UL

int older_forms(void)
{
    /* In 2.0 a third argument asked for DMA, and get_dma_pages did so on all versions. */
    unsigned long dma = __get_free_pages(GFP_KERNEL, 1, 1), other = get_dma_pages(GFP_KERNEL, 1);
    /* There was no iounmap: vfree took back what vremap had mapped, and areas as well. */
    void *registers = vremap(TIMER, 4096), *area = vmalloc(100);
    kmem_cache_t *cache = kmem_cache_create("chapter-old", 100, 0, 0, NULL, NULL);
    int is_well = dma && other && registers && area && cache && virt_to_phys((void *)dma) < DMA_END &&
                  virt_to_phys((void *)other) < DMA_END;

    free_pages(dma, 1);
    free_pages(other, 1);
    vfree(registers);
    vfree(area);
    if (cache && kmem_destroy_cache(cache))
        is_well = 0;
    printk(KERN_INFO "chapter: the forms of 2.0 and 2.2 %s\n", is_well ? "do what they did" : "do not do what they did");
    return is_well ? 0 : -ENOMEM;
}
