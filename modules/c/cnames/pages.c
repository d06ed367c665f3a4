/*
 * pages.c: pages by themselves: of which an address is, who counts them, and where the kernel's page tables say they
 * are.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/pgtable.h>

#include "check.h"

static void check_counts(void)
{
    unsigned long address = get_zeroed_page(GFP_KERNEL);
    struct page *page = virt_to_page(address);

    EXPECT(page && page == virt_to_page((char *)address + PAGE_SIZE - 1));
    EXPECT(page_address(page) == (void *)address && page_count(page) == 1);
    get_page(page);
    EXPECT(page_count(page) == 2);
    /* Who frees it is not the last: the page stays. */
    free_page(address);
    EXPECT(page_count(page) == 1 && *(int *)address == 0);
    put_page(page);
}

/* A page in the middle of a block has no count of its own, and is not to be freed; asking about it harms nobody. */
static void check_blocks(void)
{
    char *block = (char *)__get_free_pages(GFP_KERNEL, 2);
    struct page *inner;

    EXPECT(block && page_count(virt_to_page(block)) == 1);
    inner = virt_to_page(block + 2 * PAGE_SIZE);
    EXPECT(inner && inner != virt_to_page(block) && page_address(inner) == block + 2 * PAGE_SIZE);
    EXPECT(page_count(inner) == 0);
    free_pages((unsigned long)block, 2);
    EXPECT(!virt_to_page((void *)8));
}

/* The same by the page: who has one asks for its address. */
static void check_by_page(void)
{
    struct page *block = alloc_pages(GFP_KERNEL, 2), *page = alloc_page(GFP_KERNEL);
    char *address;

    EXPECT(block && page && block != page && page_count(block) == 1 && page_count(page) == 1);
    address = page_address(block);
    EXPECT(address && (unsigned long)address % (PAGE_SIZE << 2) == 0 && virt_to_page(address) == block);
    clear_page(address);
    copy_page(page_address(page), address);
    EXPECT(*(long *)page_address(page) == 0 && block - mem_map == virt_to_phys(address) >> PAGE_SHIFT);
    SetPageReserved(page);
    ClearPageReserved(page);
    __free_pages(block, 2);
    __free_page(page);
    EXPECT(get_order(1) == 0 && get_order(PAGE_SIZE) == 0 && get_order(PAGE_SIZE + 1) == 1);
    EXPECT(get_order(3 * PAGE_SIZE) == 2 && PAGE_ALIGN(1) == PAGE_SIZE && ((PAGE_SIZE + 5) & PAGE_MASK) == PAGE_SIZE);
}

static struct page *page_behind(void *address)
{
    unsigned long place = VMALLOC_VMADDR(address);
    struct page *page = NULL;
    pgd_t *pgd;
    pmd_t *pmd;
    pte_t *pte;

    spin_lock(&init_mm.page_table_lock);
    pgd = pgd_offset(&init_mm, place);
    if (!pgd_none(*pgd)) {
        pmd = pmd_offset(pgd, place);
        if (!pmd_none(*pmd)) {
            pte = pte_offset(pmd, place);
            if (pte_present(*pte))
                page = pte_page(*pte);
        }
    }
    spin_unlock(&init_mm.page_table_lock);
    return page;
}

/* Whether this text is in a page. One of high memory, where vmalloc looks first, has no address to look at. */
static int shows(struct page *page, const char *text)
{
    return !page_address(page) || strcmp(page_address(page), text) == 0;
}

static void check_tables(void)
{
    char *area = vmalloc(2 * PAGE_SIZE);
    struct page *first, *second;

    EXPECT(area);
    strcpy(area + PAGE_SIZE, "second");
    first = page_behind(area);
    second = page_behind(area + PAGE_SIZE);
    EXPECT(first && second && first != second);
    EXPECT(shows(second, "second"));
    EXPECT(!page_behind(area + 2 * PAGE_SIZE));
    /* Who has counted a page keeps it when the area goes. */
    get_page(second);
    vfree(area);
    EXPECT(shows(second, "second") && page_count(second) >= 1);
    put_page(second);
}

static void check_addresses(void)
{
    char *object = kmalloc(100, GFP_KERNEL);

    EXPECT(object && __va(__pa(object)) == object && phys_to_virt(virt_to_phys(object)) == object);
    EXPECT(virt_to_bus(object) == virt_to_phys(object));
    kfree(object);
}

void check_pages(void)
{
    check_counts();
    check_blocks();
    check_by_page();
    check_tables();
    check_addresses();
}
