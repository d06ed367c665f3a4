/*
 * cbootmem: asks for memory at boot, which no module can: it comes after. insmod refuses it, and says why.
 */
#include <linux/config.h>
#include <linux/module.h>

#include <linux/bootmem.h>
#include <linux/errno.h>
#include <linux/init.h>

MODULE_DESCRIPTION("asks for memory at boot, and is refused");
MODULE_LICENSE("Dual MIT/GPL");

static void *buffer;

static int cbootmem_init(void)
{
    buffer = alloc_bootmem_pages(3 << 20);
    return buffer ? 0 : -ENOMEM;
}

static void cbootmem_exit(void)
{
}

module_init(cbootmem_init);
module_exit(cbootmem_exit);
