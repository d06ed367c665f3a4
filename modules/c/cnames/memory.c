/*
 * memory.c: the chapter's calls, made right: each gives what it says, and takes it back.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/string.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/pgtable.h>

#include "check.h"

/* Where each machine of QEMU's has a timer: its first register says who made it, the next one its period. */
#define TIMER 0xfed00000UL
#define INTEL 0x8086
#define PERIOD 10000000
/* When its third part goes off, from there: nobody has it go off, and the register keeps what is written. */
#define THIRD 0x148
/* Where the display's memory is, which takes bytes. */
#define DISPLAY 0xa0000UL
/* Where the memory ends that ISA DMA reaches. */
#define DMA_END (16UL << 20)

static void check_kmalloc(void)
{
    char *object = kmalloc(3000, GFP_KERNEL);

    EXPECT(object && ksize(object) == 4096);
    memset(object, 0x5a, 3000);
    kfree(object);
    object = kmalloc(131072, GFP_USER);
    EXPECT(object && ((unsigned long)object & (PAGE_SIZE - 1)) == 0);
    EXPECT(virt_to_phys(object + 131071) == virt_to_phys(object) + 131071);
    kfree(object);
    object = kmalloc(131073, GFP_KERNEL);
    EXPECT(!object);
    object = kmalloc(100, GFP_ATOMIC | __GFP_DMA);
    EXPECT(object && virt_to_phys(object) < DMA_END);
    kfree(object);
    object = kmalloc(1, GFP_BUFFER);
    EXPECT(object && ksize(object) == 32);
    kfree(object);
    kfree(NULL);
}

static void check_blocks(void)
{
    unsigned long page = __get_free_page(GFP_KERNEL), order;

    EXPECT(page);
    memset((void *)page, 0x5a, PAGE_SIZE);
    free_page(page);
    page = get_zeroed_page(GFP_KERNEL);
    EXPECT(page && ((char *)page)[0] == 0 && ((char *)page)[PAGE_SIZE - 1] == 0);
    free_page(page);
    for (order = 0; order < MAX_ORDER; order++) {
        page = __get_free_pages(GFP_KERNEL, order);
        EXPECT(page && page % (PAGE_SIZE << order) == 0);
        free_pages(page, order);
    }
    EXPECT(!__get_free_pages(GFP_KERNEL, MAX_ORDER));
    page = __get_dma_pages(GFP_KERNEL, 2);
    EXPECT(page && virt_to_phys((void *)page) < DMA_END);
    free_pages(page, 2);
    free_pages(0, 0);
}

static void check_vmalloc(void)
{
    char *area = vmalloc(5 * PAGE_SIZE + 1), *other;

    EXPECT(area && ((unsigned long)area & (PAGE_SIZE - 1)) == 0);
    EXPECT((unsigned long)area >= VMALLOC_START && (unsigned long)area < VMALLOC_END);
    memset(area, 0x5a, 6 * PAGE_SIZE);
    EXPECT(area[6 * PAGE_SIZE - 1] == 0x5a);
    other = vmalloc(1);
    EXPECT(other && (other >= area + 7 * PAGE_SIZE || other < area));
    vfree(other);
    vfree(area);
    EXPECT(!vmalloc(1UL << 46));
    vfree(NULL);
}

static void check_ioremap(void)
{
    char *registers = ioremap(TIMER + 4, 100), *display = ioremap(DISPLAY, 100);
    int byte;

    EXPECT(registers && ((unsigned long)registers & (PAGE_SIZE - 1)) == 4 && display);
    if (!registers || !display)
        return;
    EXPECT(readl(registers) == PERIOD && readl(registers - 4) >> 16 == INTEL);
    byte = readb(display);
    writeb(0x5a, display);
    EXPECT(readb(display) == 0x5a || readb(display) == 0xff);
    writeb(byte, display);
    writew(readw(display), display);
    writel(readl(display), display);
    iounmap(registers);
    iounmap(display);
}

/* A register takes whole words, and says nothing of worth to who asks for bytes. */
static void check_whole_words(void)
{
    char *registers = ioremap_nocache(TIMER, PAGE_SIZE), *third = registers + THIRD;
    unsigned int value = 0x11223344;

    EXPECT(registers);
    if (!registers)
        return;
    memcpy_toio(third, &value, sizeof(value));
    EXPECT(readl(third) == value);
    memset_io(third, 0x5a, sizeof(value));
    EXPECT(readl(third) == 0x5a5a5a5a);
    memcpy_fromio(&value, registers + 4, sizeof(value));
    EXPECT(value == PERIOD);
    iounmap(registers);
}

/* What begins or ends within a word is copied as well, and nothing beside it. */
static void check_part_words(void)
{
    char memory[24], bytes[24] = "...........";

    memset_io(memory, '-', 24);
    memcpy_toio(memory + 3, "abcdefghijklm", 13);
    EXPECT(memcmp(memory, "---abcdefghijklm--------", 24) == 0);
    memset_io(memory + 6, '+', 7);
    memcpy_fromio(bytes + 1, memory + 2, 13);
    EXPECT(memcmp(bytes, ".-abc+++++++kl", 14) == 0 && bytes[14] == 0);
}

void check_memory(void)
{
    check_kmalloc();
    check_blocks();
    check_vmalloc();
    check_ioremap();
    check_whole_words();
    check_part_words();
}
