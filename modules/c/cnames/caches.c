/*
 * caches.c: lookaside caches: what constructors and destructors are told, and when.
 */
#include <linux/kernel.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "check.h"

#define OBJECTS 400

/* Calls of the function below, as a constructor and as a destructor, and those that may not sleep. */
static int constructed, destructed, atomic;

/* One function may be both: it is told which. */
static void change(void *object, kmem_cache_t *cache, unsigned long flags)
{
    EXPECT(!(flags & SLAB_CTOR_VERIFY));
    if (flags & SLAB_CTOR_ATOMIC)
        atomic++;
    if (flags & SLAB_CTOR_CONSTRUCTOR) {
        constructed++;
        *(int *)object = 42;
    } else {
        destructed++;
    }
}

static void check_flags(void)
{
    kmem_cache_t *cache = kmem_cache_create("cnames-lines", 40, 0, SLAB_HWCACHE_ALIGN | SLAB_NO_REAP, NULL, NULL);
    void *one, *other;

    EXPECT(cache);
    one = kmem_cache_alloc(cache, SLAB_KERNEL);
    other = kmem_cache_alloc(cache, SLAB_ATOMIC);
    EXPECT(one && other && one != other && (unsigned long)one % 64 == 0 && (unsigned long)other % 64 == 0);
    kmem_cache_free(cache, one);
    EXPECT(kmem_cache_destroy(cache) != 0);
    kmem_cache_free(cache, other);
    EXPECT(kmem_cache_destroy(cache) == 0);
}

/* What ISA DMA reaches ends at 16 MB. */
static void check_dma(void)
{
    kmem_cache_t *cache = kmem_cache_create("cnames-dma", 100, 0, SLAB_CACHE_DMA, NULL, NULL);
    void *object;

    EXPECT(cache);
    object = kmem_cache_alloc(cache, SLAB_KERNEL | SLAB_DMA);
    EXPECT(object && virt_to_phys(object) < 16UL << 20);
    kmem_cache_free(cache, object);
    EXPECT(kmem_cache_destroy(cache) == 0);
}

static void check_constructors(void)
{
    kmem_cache_t *cache = kmem_cache_create("cnames-made", 100, 0, 0, change, change);
    static void *objects[OBJECTS];
    int i, first;

    EXPECT(cache && constructed == 0);
    objects[0] = kmem_cache_alloc(cache, GFP_KERNEL);
    first = constructed;
    EXPECT(objects[0] && *(int *)objects[0] == 42 && first > 1);
    objects[1] = kmem_cache_alloc(cache, GFP_KERNEL);
    EXPECT(objects[1] && constructed == first && atomic == 0);
    for (i = 2; i < OBJECTS; i++) {
        objects[i] = kmem_cache_alloc(cache, GFP_ATOMIC);
        EXPECT(objects[i]);
    }
    EXPECT(constructed >= OBJECTS && atomic > 0 && destructed == 0);
    for (i = 0; i < OBJECTS; i++)
        kmem_cache_free(cache, objects[i]);
    EXPECT(kmem_cache_shrink(cache) == 0 || destructed > 0);
    EXPECT(kmem_cache_destroy(cache) == 0 && destructed == constructed);
}

static void check_refusals(void)
{
    EXPECT(!kmem_cache_create("cnames-destroyed", 100, 0, 0, NULL, change));
    EXPECT(!kmem_cache_create("a name of twenty let", 100, 0, 0, NULL, NULL));
    EXPECT(!kmem_cache_create("cnames-large", 1 << 20, 0, 0, NULL, NULL));
}

void check_caches(void)
{
    check_flags();
    check_dma();
    check_constructors();
    check_refusals();
}
