/*
 * compat.c: names and forms of Linux 2.0 and 2.2, and copies between addresses of the kernel's own.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <asm/segment.h>
#include <compat.h>

#include "check.h"

/* Where each machine of QEMU's has a timer, and what its second word says. */
#define TIMER 0xfed00000UL
#define PERIOD 10000000

static void check_old_memory(void)
{
    kmem_cache_t *cache = kmem_cache_create("cnames-compat", 100, 0, 0, NULL, NULL);
    unsigned long page = get_free_page(GFP_KERNEL);
    char *registers = vremap(TIMER, PAGE_SIZE), *area = vmalloc(1);

    EXPECT(page && *(long *)page == 0);
    free_page(page);
    page = __get_free_pages(GFP_KERNEL, 1, 1);
    EXPECT(page && virt_to_phys((void *)page) < 16UL << 20);
    free_pages(page, 1);
    page = __get_free_pages(GFP_KERNEL, 1);
    EXPECT(page);
    free_pages(page, 1);
    page = get_dma_pages(GFP_KERNEL, 0);
    EXPECT(page && virt_to_phys((void *)page) < 16UL << 20);
    free_page(page);
    EXPECT(registers && readl(registers + 4) == PERIOD && area);
    vfree(registers);
    vfree(area);
    EXPECT(cache && kmem_destroy_cache(cache) == 0);
}

static void check_copies(void)
{
    char there[8] = "abcdefg", here[8];

    memcpy_fromfs(here, there, 8);
    EXPECT(memcmp(here, "abcdefg", 8) == 0);
    memcpy_tofs(there + 1, here, 3);
    EXPECT(strcmp(there, "aabcefg") == 0);
    put_fs_byte('x', there);
    put_fs_word(0x3130, there + 1);
    put_fs_long(0x35343332, there + 3);
    EXPECT(strcmp(there, "x012345") == 0 && get_fs_byte(there) == 'x');
    EXPECT(get_fs_word(there + 1) == 0x3130 && get_fs_long(there + 3) == 0x35343332);
}

static void check_texts(void)
{
    char text[8];

    EXPECT(strncpy_from_user(text, "four", 8) == 4 && strcmp(text, "four") == 0);
    EXPECT(strncpy_from_user(text, "too long", 3) == 3 && strlen_user("four") == 5);
}

void check_compat(void)
{
    mm_segment_t limit = get_fs();

    register_symtab(NULL);
    check_old_memory();
    EXPECT(suser() && fsuser());
    set_fs(get_ds());
    EXPECT(segment_eq(get_fs(), KERNEL_DS));
    check_copies();
    check_texts();
    set_fs(limit);
}
