/*
 * Memory that is taken while the kernel starts, which no module can: it comes after.
 *
 * The names are here so that the chapter's fragments compile. insmod refuses a module that calls one, and says why; see
 * kernel/src/mm/bigphysarea.rs for a driver that is part of the kernel.
 * (Chapter: "Boot-Time Allocation".)
 */
#ifndef _LINUX_BOOTMEM_H
#define _LINUX_BOOTMEM_H

extern void *alloc_bootmem(unsigned long size);
extern void *alloc_bootmem_low(unsigned long size);
extern void *alloc_bootmem_pages(unsigned long size);
extern void *alloc_bootmem_low_pages(unsigned long size);

#endif
