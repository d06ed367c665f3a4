/*
 * cscull: memory as devices, in quanta from kmalloc; the driver that the book on drivers begins with, in C.
 *
 * Its minor numbers choose among six kinds of devices: plain ones 0 to 3 (device.c), pipes 16 to 19 (pipe.c), and 32,
 * 48, 64, 80 with access control (access.c). open hands a file on to the operations of its kind.
 */
#include <linux/config.h>
#include <linux/module.h>

#include <linux/kernel.h>
#include <linux/fs.h>
#include <linux/errno.h>
#include <linux/init.h>

#include "cscull.h"

static int cscull_major;

MODULE_PARM(cscull_major, "i");
MODULE_AUTHOR("the authors of Scullery");
MODULE_DESCRIPTION("memory as devices, in quanta from kmalloc");
MODULE_LICENSE("Dual MIT/GPL");

/* The operations of each kind. */
static struct file_operations *const operations[KINDS] = {
    &cscull_plain_fops, &cscull_pipe_fops, &cscull_single_fops,
    &cscull_uid_fops,   &cscull_wuid_fops, &cscull_private_fops,
};

static int cscull_open(struct inode *inode, struct file *filp)
{
    unsigned int kind = KIND(inode->i_rdev);

    if (kind >= KINDS)
        return -ENODEV;
    filp->f_op = operations[kind];
    return filp->f_op->open(inode, filp);
}

/* What a file has until its kind is known. */
static struct file_operations cscull_fops = {open: cscull_open};

/* Frees what there is; at the end, or when the beginning fails. */
static void cscull_cleanup(void)
{
    unregister_chrdev(cscull_major, "cscull");
    cscull_access_end();
    cscull_pipe_end();
    cscull_plain_end();
}

static int cscull_init(void)
{
    int result;

    SET_MODULE_OWNER(&cscull_fops);
    result = register_chrdev(cscull_major, "cscull", &cscull_fops);
    if (result < 0) {
        printk(KERN_WARNING "cscull: no major number %i\n", cscull_major);
        return result;
    }
    if (cscull_major == 0)
        cscull_major = result;
    result = cscull_plain_begin();
    if (!result)
        result = cscull_pipe_begin();
    if (!result)
        result = cscull_access_begin();
    if (result) {
        cscull_cleanup();
        return result;
    }
    EXPORT_NO_SYMBOLS;
    return 0;
}

module_init(cscull_init);
module_exit(cscull_cleanup);
