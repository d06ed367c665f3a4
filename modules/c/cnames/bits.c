/*
 * bits.c: single bits, in memory that the compiler sees and in memory that it does not, and the order of accesses.
 */
#include <linux/kernel.h>
#include <linux/malloc.h>
#include <asm/atomic.h>
#include <asm/bitops.h>
#include <asm/system.h>

#include "check.h"

/* How drivers mark who has opened them: one word, or less, or a member. */
static unsigned long in_use;
static unsigned int small;
static struct {
    int number;
    unsigned long flags;
} device;

static void check_words(void)
{
    EXPECT(!test_and_set_bit(0, &in_use) && test_and_set_bit(0, &in_use) && in_use == 1);
    clear_bit(0, &in_use);
    set_bit(31, &small);
    change_bit(63, &device.flags);
    EXPECT(in_use == 0 && small == 1U << 31 && device.flags == 1UL << 63 && device.number == 0);
    EXPECT(test_and_clear_bit(31, &small) && test_and_change_bit(63, &device.flags) && !small && !device.flags);
}

/* A bitmap on the stack: bits behind its first word are changed without that the compiler is told which. */
static void check_map(void)
{
    unsigned long map[4] = {0, 0, 0, 0};

    set_bit(3, map);
    set_bit(130, map);
    EXPECT(map[0] == 8 && map[2] == 4 && test_bit(130, map) && !test_bit(129, map));
    clear_bit(3, map);
    change_bit(64, map);
    EXPECT(map[0] == 0 && map[1] == 1);
    EXPECT(!test_and_set_bit(255, map) && test_and_set_bit(255, map) && map[3] == 1UL << 63);
    EXPECT(test_and_clear_bit(255, map) && !test_and_clear_bit(255, map) && map[3] == 0);
    EXPECT(!test_and_change_bit(6, map) && test_and_change_bit(6, map) && map[0] == 0);
}

static void check_allocated(void)
{
    unsigned long *map = kmalloc(32, GFP_KERNEL);

    EXPECT(map);
    memset(map, 0, 32);
    set_bit(200, map);
    EXPECT(map[3] == 1UL << 8 && test_and_clear_bit(200, map) && map[3] == 0);
    kfree(map);
}

static void check_order(void)
{
    unsigned long word = 7;
    atomic_t counter = ATOMIC_INIT(-1);

    EXPECT(xchg(&word, 9UL) == 7 && word == 9);
    mb();
    rmb();
    wmb();
    barrier();
    set_mb(word, 1);
    set_wmb(word, word + 1);
    EXPECT(word == 2 && atomic_inc_and_test(&counter) && !atomic_inc_and_test(&counter));
}

void check_bits(void)
{
    check_words();
    check_map();
    check_allocated();
    check_order();
}
