/*
 * Names and forms of Linux 2.0 and 2.2, for drivers that were written for those.
 *
 * Include it last. What is here takes the place of the 2.4 form where both have one name: __get_free_pages takes two
 * arguments or three, and vfree also takes back what vremap mapped.
 * (Chapter: "Backward Compatibility".)
 */
#ifndef _COMPAT_H
#define _COMPAT_H

#include <linux/malloc.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/uaccess.h>

/* 2.0: a third argument asks for memory that ISA DMA reaches; later that is a flag. */
#define __get_free_pages(flags, order, dma...) \
	(__get_free_pages)((flags) | ((0, ##dma) ? __GFP_DMA : 0), (order))
#define get_dma_pages(flags, order) (__get_free_pages)((flags) | __GFP_DMA, (order))

/* 2.0 and 2.2: a page of zeros. */
#define get_free_page(flags) get_zeroed_page(flags)

/* 2.0: ioremap, whose mapping vfree takes back; there was no iounmap. */
#define vremap(address, size) ioremap((address), (size))
extern void __vfree_or_iounmap(const void *address);
#define vfree(address) __vfree_or_iounmap(address)

/* 2.2 before 2.2.18 had no way to destroy a cache; this name was in use for a while. */
#define kmem_destroy_cache(cache) kmem_cache_destroy(cache)

/* 2.0: copies that were asked about before (verify_area), and said nothing. */
#define memcpy_tofs(to, from, size) ((void) copy_to_user((to), (from), (size)))
#define memcpy_fromfs(to, from, size) ((void) copy_from_user((to), (from), (size)))
#define get_fs_byte(from) ({ unsigned char __byte = 0; get_user(__byte, (unsigned char *) (from)); __byte; })
#define get_fs_word(from) ({ unsigned short __word = 0; get_user(__word, (unsigned short *) (from)); __word; })
#define get_fs_long(from) ({ unsigned int __long = 0; get_user(__long, (unsigned int *) (from)); __long; })
#define put_fs_byte(value, to) ((void) put_user((unsigned char) (value), (unsigned char *) (to)))
#define put_fs_word(value, to) ((void) put_user((unsigned short) (value), (unsigned short *) (to)))
#define put_fs_long(value, to) ((void) put_user((unsigned int) (value), (unsigned int *) (to)))

/* 2.0: whether the process is root's. See linux/sched.h for suser(). */
#define fsuser() suser()

/* 2.0 told the kernel by a table which names are for others; all global ones are. */
#define register_symtab(table) ((void) 0)

#endif
