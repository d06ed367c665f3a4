/*
 * Memory that follows one address after the other, in pages from anywhere.
 *
 * Each allocation builds page tables, which costs more than the pages themselves, and may sleep: not for interrupts,
 * and not for single pages. Sizes are rounded up to pages; one page that is not there follows each area.
 * (Chapter: "vmalloc and Friends".)
 */
#ifndef _LINUX_VMALLOC_H
#define _LINUX_VMALLOC_H

#include <linux/types.h>
#include <asm/pgtable.h>

extern void *vmalloc(unsigned long size);
extern void vfree(const void *address);

#define VMALLOC_VMADDR(address) ((unsigned long) (address))

#endif
