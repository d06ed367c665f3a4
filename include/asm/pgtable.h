/*
 * Page tables, to be read.
 *
 * The interface has three levels, and the processor four: the topmost is folded into the first. What pgd_offset,
 * pmd_offset and pte_offset return are copies of entries, good until 64 more were asked for, and what is written to
 * them changes nothing. Where nothing is mapped all three are none; in the middle of a large page, pte_offset gives the
 * entry that the small page would have.
 */
#ifndef _ASM_PGTABLE_H
#define _ASM_PGTABLE_H

#include <asm/page.h>
#include <linux/spinlock.h>

typedef struct { unsigned long pgd; } pgd_t;
typedef struct { unsigned long pmd; } pmd_t;
typedef struct { unsigned long pte; } pte_t;
typedef struct { unsigned long pgprot; } pgprot_t;

#define pgd_val(entry) ((entry).pgd)
#define pmd_val(entry) ((entry).pmd)
#define pte_val(entry) ((entry).pte)
#define pgprot_val(protection) ((protection).pgprot)
#define __pgprot(bits) ((pgprot_t) { (bits) })

#define _PAGE_PRESENT 0x001
#define _PAGE_RW 0x002
#define _PAGE_USER 0x004
#define _PAGE_ACCESSED 0x020
#define _PAGE_DIRTY 0x040

#define PAGE_SHARED __pgprot(_PAGE_PRESENT | _PAGE_RW | _PAGE_USER | _PAGE_ACCESSED)
#define PAGE_READONLY __pgprot(_PAGE_PRESENT | _PAGE_USER | _PAGE_ACCESSED)

/* An address space. Its lock is to be held while its tables are read. */
struct mm_struct {
	spinlock_t page_table_lock;
};

extern pgd_t *__pgd_offset(unsigned long address);
extern pmd_t *__pmd_offset(unsigned long address);
extern pte_t *__pte_offset(unsigned long address);

/* It is the kernel's space whatever is asked for: addresses of processes have no entries here. */
#define pgd_offset(mm, address) ((void) (mm), __pgd_offset(address))
#define pgd_offset_k(address) __pgd_offset(address)
#define pmd_offset(pgd, address) ((void) (pgd), __pmd_offset(address))
#define pte_offset(pmd, address) ((void) (pmd), __pte_offset(address))

#define pgd_none(entry) (!pgd_val(entry))
#define pgd_bad(entry) (0)
#define pgd_present(entry) (pgd_val(entry) & _PAGE_PRESENT)
#define pmd_none(entry) (!pmd_val(entry))
#define pmd_bad(entry) (0)
#define pmd_present(entry) (pmd_val(entry) & _PAGE_PRESENT)
#define pte_none(entry) (!pte_val(entry))
#define pte_present(entry) (pte_val(entry) & _PAGE_PRESENT)
#define pte_write(entry) (pte_val(entry) & _PAGE_RW)
#define pte_dirty(entry) (pte_val(entry) & _PAGE_DIRTY)
#define pte_young(entry) (pte_val(entry) & _PAGE_ACCESSED)

/* The page that an entry shows. */
#define pte_page(entry) \
	((struct page *) (__PAGE_PLACES + ((pte_val(entry) & 0x000ffffffffff000UL) >> PAGE_SHIFT) * __PAGE_PLACE))

/* Where vmalloc and ioremap put what they map. */
extern unsigned long __vmalloc_start(void);
extern unsigned long __vmalloc_end(void);
#define VMALLOC_START __vmalloc_start()
#define VMALLOC_END __vmalloc_end()

#endif
