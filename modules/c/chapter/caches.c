/*
 * caches.c: "Lookaside Caches": a cache with a constructor, and how a driver has its quanta from one.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "chapter.h"

#define QUANTUM 4000
#define QSET 10

/* Objects that were made ready, and those that were taken apart. */
static int made, unmade;

/* Is called when memory for objects comes and goes, not when one is handed out: one function may do both. */
static void make(void *object, kmem_cache_t *cache, unsigned long flags)
{
    if (flags & SLAB_CTOR_CONSTRUCTOR) {
        memset(object, 0, 100);
        made++;
    } else {
        unmade++;
    }
}

static int constructor(void)
{
    kmem_cache_t *cache = kmem_cache_create("chapter-made", 100, 0, 0, make, make);
    void *object;
    int at_first;

    if (!cache)
        return -ENOMEM;
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    at_first = made;
    if (object)
        kmem_cache_free(cache, object);
    object = kmem_cache_alloc(cache, GFP_KERNEL);
    if (object)
        kmem_cache_free(cache, object);
    /* While an object is out, this fails: something in the module leaks. */
    if (kmem_cache_destroy(cache))
        return -EBUSY;
    printk(KERN_INFO "chapter: two allocations, %i objects made at the first, %i at the second; all %i unmade\n", at_first,
           made - at_first, unmade);
    return 0;
}

/* One cache for the quanta of all devices, as scullc has it. */
static kmem_cache_t *quanta;

/* A quantum for a slot that has none. */
static int fill(void **slot)
{
    if (*slot)
        return 0;
    *slot = kmem_cache_alloc(quanta, GFP_KERNEL);
    if (!*slot)
        return -ENOMEM;
    memset(*slot, 0, QUANTUM);
    return 0;
}

static void release(void **slots)
{
    int i;

    for (i = 0; i < QSET; i++)
        if (slots[i])
            kmem_cache_free(quanta, slots[i]);
    kfree(slots);
}

static int driver(void)
{
    void **slots = kmalloc(QSET * sizeof(void *), GFP_KERNEL);
    int result;

    if (!slots)
        return -ENOMEM;
    memset(slots, 0, QSET * sizeof(void *));
    quanta = kmem_cache_create("chapter-quanta", QUANTUM, 0, SLAB_HWCACHE_ALIGN, NULL, NULL);
    if (!quanta) {
        kfree(slots);
        return -ENOMEM;
    }
    result = fill(&slots[3]);
    if (result == 0)
        printk(KERN_INFO "chapter: a quantum from a cache begins %s a line of the processor's cache\n",
               (unsigned long)slots[3] % 64 ? "within" : "with");
    release(slots);
    return kmem_cache_destroy(quanta) ? -EBUSY : result;
}

int lookaside_cache(void)
{
    int result = constructor();

    return result ? result : driver();
}
