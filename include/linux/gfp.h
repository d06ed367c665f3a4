/*
 * What an allocation may do: the flags argument.
 *
 * Single flags begin with two underscores; drivers use the collections.
 * (Chapter: "The Flags Argument", "Memory zones".)
 */
#ifndef _LINUX_GFP_H
#define _LINUX_GFP_H

#include <asm/page.h>

struct page;

#define __GFP_WAIT 0x01		/* the caller may sleep */
#define __GFP_HIGH 0x02		/* it is urgent */
#define __GFP_IO 0x04		/* memory may be made free by writing to disks */
#define __GFP_DMA 0x08		/* only memory that ISA DMA reaches, below 16 MB */
#define __GFP_HIGHMEM 0x10	/* memory outside of the kernel's own map will do */

#define GFP_KERNEL (__GFP_WAIT | __GFP_HIGH | __GFP_IO)	/* for a process in the kernel; may sleep */
#define GFP_ATOMIC (__GFP_HIGH)				/* never sleeps: interrupts, timers, with a lock held */
#define GFP_BUFFER (__GFP_WAIT | __GFP_HIGH)		/* may sleep, but no disk is written to for it */
#define GFP_NOIO GFP_BUFFER
#define GFP_NOFS GFP_BUFFER				/* the same, under a later name: no file system is called */
#define GFP_USER (__GFP_WAIT | __GFP_IO)		/* for a user: at low priority */
#define GFP_HIGHUSER (GFP_USER | __GFP_HIGHMEM)		/* the same, from high memory if there is any */
#define GFP_DMA __GFP_DMA

/* Orders are below it. */
#define MAX_ORDER 10

/* Pages that follow each other in physical memory; 0 if there are none. */
extern unsigned long __get_free_pages(int flags, unsigned long order);
extern unsigned long get_zeroed_page(int flags);
#define __get_free_page(flags) __get_free_pages((flags), 0)
#define __get_dma_pages(flags, order) __get_free_pages((flags) | __GFP_DMA, (order))

extern void free_pages(unsigned long address, unsigned long order);
#define free_page(address) free_pages((address), 0)

/* The same, as the page itself. */
#define alloc_pages(flags, order) __alloc_pages((flags), (order))
#define alloc_page(flags) __alloc_pages((flags), 0)
extern struct page *__alloc_pages(int flags, unsigned long order);
extern void __free_pages(struct page *page, unsigned long order);
#define __free_page(page) __free_pages((page), 0)

/* The order of a block that holds size bytes. */
extern int get_order(unsigned long size);

#endif
