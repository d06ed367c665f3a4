/*
 * Pages: their allocation, what an allocation may do, and pages in areas of processes.
 *
 * The allocation functions of pages take an order: 2 to its power is the number of pages, and their addresses are a
 * multiple of as many. get_zeroed_page alone clears memory. Freeing with another order than the allocation's damaged
 * memory once; here it is refused, and reported with the function that asked for it.
 * (Chapter: "The Flags Argument", "get_free_page and Friends".)
 */
#ifndef _LINUX_MM_H
#define _LINUX_MM_H

#include <linux/types.h>
#include <linux/sched.h>
#include <linux/gfp.h>
#include <asm/page.h>
#include <asm/pgtable.h>
#include <asm/atomic.h>

struct file;
struct vm_area_struct;

/*
 * A page of physical memory. The kernel keeps what it knows of pages for itself: this is only a place for each, in an
 * order that can be counted in. Whoever follows it faults.
 */
struct page {
	unsigned char __private[__PAGE_PLACE];
};

#define mem_map ((struct page *) __PAGE_PLACES)

/* The page of an address that came from an allocation of pages or from kmalloc; NULL for one that has none. */
extern struct page *virt_to_page(const void *address);
#define virt_to_page(address) (virt_to_page)((const void *) (address))

/* Where the page is in the kernel's own map of memory. */
extern void *page_address(struct page *page);

/* One user of the page more, or less: the last one's end frees it. Of a block of several pages the first one counts. */
extern void get_page(struct page *page);
extern void put_page(struct page *page);
extern int page_count(struct page *page);
#define get_page(page) (get_page)(page)

/* Pages of drivers are never swapped out: there is nothing to mark. */
#define SetPageReserved(page) ((void) (page))
#define ClearPageReserved(page) ((void) (page))

/* What an area of a process allows. */
#define VM_READ 0x00000001
#define VM_WRITE 0x00000002
#define VM_EXEC 0x00000004
#define VM_SHARED 0x00000008
#define VM_MAYREAD 0x00000010
#define VM_MAYWRITE 0x00000020
#define VM_MAYEXEC 0x00000040
#define VM_MAYSHARE 0x00000080
#define VM_IO 0x00004000	/* device memory */
#define VM_RESERVED 0x00080000	/* its pages are not to be swapped out: those of drivers never are */

/* An area of a process that shows a part of a device, while its driver is asked about it. */
struct vm_area_struct {
	unsigned long vm_start;		/* the first address */
	unsigned long vm_end;		/* behind the last one */
	unsigned long vm_flags;
	pgprot_t vm_page_prot;
	unsigned long vm_pgoff;		/* where in the device it begins, in pages */
	struct vm_operations_struct *vm_ops;
	struct file *vm_file;
	void *vm_private_data;		/* the driver's own */
};

/* What a driver does for such an area. */
struct vm_operations_struct {
	/* One more area shows the device: by fork, or where one was cut in two. Not after mmap itself. */
	void (*open)(struct vm_area_struct *area);
	/* An area goes. */
	void (*close)(struct vm_area_struct *area);
	/* The page to show at an address, with get_page done for it. May sleep; may not copy to or from the process. */
	struct page *(*nopage)(struct vm_area_struct *area, unsigned long address, int unused);
};

#define NOPAGE_SIGBUS ((struct page *) 0)
#define NOPAGE_OOM ((struct page *) -1)

/* The kernel's own address space. */
extern struct mm_struct init_mm;

#endif
