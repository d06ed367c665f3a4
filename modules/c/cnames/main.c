/*
 * cnames: every function of the interface for drivers in C, used once, and what comes of it checked. Those of poll and
 * of signals to owners of files are left to cscull.
 *
 * insmod tries what needs no process, and fails if anything is not as it should be; what a process takes part in is
 * tried by a program, which opens the device.
 */
#include <linux/config.h>
#include <linux/module.h>

#include <linux/errno.h>
#include <linux/init.h>

#include "check.h"

int cnames_held, cnames_failed;

/* A parameter of each type, and what they are before insmod says otherwise. */
static char of_a_byte = 1;
static short of_two = 2;
static int of_four = 4;
static long of_eight = 8;
static char *text = "nothing";
static int numbers[4] = {1, 2, 3, 4};

MODULE_PARM(of_a_byte, "b");
MODULE_PARM(of_two, "h");
MODULE_PARM(of_four, "i");
MODULE_PARM(of_eight, "l");
MODULE_PARM(text, "s");
MODULE_PARM(numbers, "1-4i");
MODULE_PARM_DESC(text, "what is shown");
MODULE_AUTHOR("the authors of Scullery");
MODULE_DESCRIPTION("every name of the interface for drivers in C");
MODULE_SUPPORTED_DEVICE("none");
MODULE_LICENSE("Dual MIT/GPL");

/* What EXPORT_SYMBOL shows to other modules, and in /proc/ksyms. */
int cnames_shown(void)
{
    return cnames_failed;
}
EXPORT_SYMBOL(cnames_shown);

static void check_counts(void)
{
    int in_use = MOD_IN_USE;

    MOD_INC_USE_COUNT;
    EXPECT(MOD_IN_USE);
    MOD_DEC_USE_COUNT;
    EXPECT(!MOD_IN_USE == !in_use);
    EXPECT(THIS_MODULE == &__this_module);
}

static int cnames_init(void)
{
    int result;

    printk(KERN_INFO "cnames: %i %i %i %li %s %i,%i,%i,%i\n", of_a_byte, of_two, of_four, of_eight, text, numbers[0],
           numbers[1], numbers[2], numbers[3]);
    check_counts();
    EXPECT(cnames_greet() > 0);
    check_headers();
    check_text();
    check_bits();
    check_lists();
    check_memory();
    check_caches();
    check_pages();
    check_waiting();
    check_calls();
    check_locking();
    check_later();
    check_lines();
    check_compat();
    files_begin();
    printk(KERN_INFO "cnames: %i expectations held, %i did not\n", cnames_held, cnames_failed);
    result = cnames_failed ? -EIO : device_begin();
    if (result)
        files_end();
    return result;
}

static void cnames_exit(void)
{
    device_end();
    files_end();
}

module_init(cnames_init);
module_exit(cnames_exit);
