/* How large pages are, and where the kernel's own map of memory begins. */
#ifndef _ASM_PAGE_H
#define _ASM_PAGE_H

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))
#define PAGE_ALIGN(address) (((address) + PAGE_SIZE - 1) & PAGE_MASK)

/* What stands for page 0: see struct page. Nothing is mapped there. */
#define __PAGE_PLACES 0xffffec0000000000UL
#define __PAGE_PLACE 64

/* From addresses of kmalloc and of pages to physical ones, and back; 0 for an address that is none of these. */
extern unsigned long virt_to_phys(const volatile void *address);
extern void *phys_to_virt(unsigned long address);

#define __pa(address) virt_to_phys((const volatile void *) (address))
#define __va(address) phys_to_virt((unsigned long) (address))

#define clear_page(page) memset((void *) (page), 0, PAGE_SIZE)
#define copy_page(to, from) memcpy((void *) (to), (const void *) (from), PAGE_SIZE)

#endif
