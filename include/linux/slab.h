/*
 * kmalloc, and caches of objects of one size.
 *
 * kmalloc hands out powers of two from 32 bytes to 128 KB and does not clear them. A cache packs objects of any one
 * size, and may have a constructor: it runs when the memory for objects is allocated, for several of them at once, and
 * not for each allocation.
 * (Chapter: "The Real Story of kmalloc", "Lookaside Caches".)
 */
#ifndef _LINUX_SLAB_H
#define _LINUX_SLAB_H

#include <linux/types.h>
#include <linux/mm.h>

/* NULL if there is no memory. The flags say whether it may sleep. */
extern void *kmalloc(size_t size, int flags);
/* Any context. NULL is no object, and nothing is done. An object that is free already is reported. */
extern void kfree(const void *object);
/* How many bytes the object really has. */
extern size_t ksize(const void *object);

/* A cache; the kernel keeps it for itself. */
typedef struct kmem_cache_s kmem_cache_t;

/* What a cache is like. */
#define SLAB_NO_REAP 0x00001000UL		/* it keeps its free memory when others look for some */
#define SLAB_HWCACHE_ALIGN 0x00002000UL		/* an object begins where a line of the processor's cache does */
#define SLAB_CACHE_DMA 0x00004000UL		/* ISA DMA reaches its objects */

/* What a constructor or destructor is told. */
#define SLAB_CTOR_CONSTRUCTOR 0x001UL		/* it is called as a constructor */
#define SLAB_CTOR_ATOMIC 0x002UL		/* it must not sleep */
#define SLAB_CTOR_VERIFY 0x004UL		/* it is to check the object: never so here */

/* Flags of kmem_cache_alloc: those of kmalloc, under other names. */
#define SLAB_BUFFER GFP_BUFFER
#define SLAB_ATOMIC GFP_ATOMIC
#define SLAB_USER GFP_USER
#define SLAB_KERNEL GFP_KERNEL
#define SLAB_DMA GFP_DMA

/*
 * NULL on failure. A name has at most 20 characters with its zero, and is nobody else's. offset is where the first
 * object of a page begins; 0 leaves it to the cache. There is no destructor without a constructor. May sleep.
 */
extern kmem_cache_t *kmem_cache_create(const char *name, size_t size, size_t offset, unsigned long flags,
	void (*constructor)(void *object, kmem_cache_t *cache, unsigned long flags),
	void (*destructor)(void *object, kmem_cache_t *cache, unsigned long flags));
/* Gives free memory of the cache back. 0 when all of it was free. May sleep. */
extern int kmem_cache_shrink(kmem_cache_t *cache);
/* 0, or 1 while there are objects: the cache is there still, and its memory is lost if nobody frees them. May sleep. */
extern int kmem_cache_destroy(kmem_cache_t *cache);

/* The flags matter only if the cache has to grow. */
extern void *kmem_cache_alloc(kmem_cache_t *cache, int flags);
extern void kmem_cache_free(kmem_cache_t *cache, const void *object);

#endif
