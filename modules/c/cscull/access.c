/*
 * access.c: cscull's devices with access control: who may open one, who waits, and who gets a device of his own.
 *
 * They differ from plain devices in open and release alone: all else is taken from those when the module begins.
 */
#define __NO_VERSION__
#include <linux/module.h>

#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/fs.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/tty.h>

#include "cscull.h"

/* A device with a count of those who have it open, and the user that it is for. */
struct guarded {
    struct device *device;
    int users;
    uid_t owner;
    spinlock_t lock; /* for the two above */
};

static struct guarded single, of_user, of_waiting_user;

/* Who waits until the user of the last device leaves. */
static DECLARE_WAIT_QUEUE_HEAD(waiting);

/* Lets one more in if nobody is there, or it is the same user. Root may always. The lock is held. */
static int may_enter(const struct guarded *guarded)
{
    return guarded->users == 0 || guarded->owner == current->uid || guarded->owner == current->euid ||
           capable(CAP_DAC_OVERRIDE);
}

/* Counts one more. The lock is held. */
static void count_in(struct guarded *guarded)
{
    if (guarded->users == 0)
        guarded->owner = current->uid;
    guarded->users++;
}

/* Counts one less; returns how many are left. */
static int count_out(struct guarded *guarded)
{
    int left;

    spin_lock(&guarded->lock);
    left = --guarded->users;
    spin_unlock(&guarded->lock);
    return left;
}

/* What open does once it has been decided; a failure undoes the count. */
static int enter(struct guarded *guarded, struct file *filp)
{
    int result = cscull_enter(guarded->device, filp);

    if (result)
        count_out(guarded);
    return result;
}

static int single_open(struct inode *inode, struct file *filp)
{
    if (NUMBER(inode->i_rdev) > 0)
        return -ENODEV;
    spin_lock(&single.lock);
    if (single.users) {
        spin_unlock(&single.lock);
        return -EBUSY;
    }
    count_in(&single);
    spin_unlock(&single.lock);
    return enter(&single, filp);
}

static int single_release(struct inode *inode, struct file *filp)
{
    count_out(&single);
    MOD_DEC_USE_COUNT;
    return 0;
}

static int uid_open(struct inode *inode, struct file *filp)
{
    if (NUMBER(inode->i_rdev) > 0)
        return -ENODEV;
    spin_lock(&of_user.lock);
    if (!may_enter(&of_user)) {
        spin_unlock(&of_user.lock);
        return -EBUSY;
    }
    count_in(&of_user);
    spin_unlock(&of_user.lock);
    return enter(&of_user, filp);
}

static int uid_release(struct inode *inode, struct file *filp)
{
    count_out(&of_user);
    MOD_DEC_USE_COUNT;
    return 0;
}

/* As the one before, but who is not let in waits until he is. */
static int wuid_open(struct inode *inode, struct file *filp)
{
    if (NUMBER(inode->i_rdev) > 0)
        return -ENODEV;
    spin_lock(&of_waiting_user.lock);
    while (!may_enter(&of_waiting_user)) {
        spin_unlock(&of_waiting_user.lock);
        if (filp->f_flags & O_NONBLOCK)
            return -EAGAIN;
        interruptible_sleep_on(&waiting);
        if (signal_pending(current))
            return -ERESTARTSYS;
        spin_lock(&of_waiting_user.lock);
    }
    count_in(&of_waiting_user);
    spin_unlock(&of_waiting_user.lock);
    return enter(&of_waiting_user, filp);
}

static int wuid_release(struct inode *inode, struct file *filp)
{
    if (count_out(&of_waiting_user) == 0)
        wake_up_interruptible(&waiting);
    MOD_DEC_USE_COUNT;
    return 0;
}

/* The device of one terminal. */
struct private {
    struct device *device;
    int terminal;
    struct private *next;
};

static struct private *privates;
static spinlock_t privates_lock;

/* The terminal's device, a new one if it has none; NULL if memory is short. The lock is held: nothing may sleep. */
static struct device *device_of(int terminal)
{
    struct private **link = &privates;

    for (; *link; link = &(*link)->next)
        if ((*link)->terminal == terminal)
            return (*link)->device;
    *link = kmalloc(sizeof(struct private), GFP_ATOMIC);
    if (!*link)
        return NULL;
    memset(*link, 0, sizeof(struct private));
    (*link)->terminal = terminal;
    (*link)->device = cscull_new();
    if (!(*link)->device) {
        kfree(*link);
        *link = NULL;
        return NULL;
    }
    return (*link)->device;
}

static int private_open(struct inode *inode, struct file *filp)
{
    struct device *device;

    if (NUMBER(inode->i_rdev) > 0)
        return -ENODEV;
    if (!current->tty) {
        printk(KERN_DEBUG "cscull: %s (process %i) has no terminal\n", current->comm, current->pid);
        return -EINVAL;
    }
    spin_lock(&privates_lock);
    device = device_of(MINOR(current->tty->device));
    spin_unlock(&privates_lock);
    if (!device)
        return -ENOMEM;
    return cscull_enter(device, filp);
}

static int private_release(struct inode *inode, struct file *filp)
{
    MOD_DEC_USE_COUNT;
    return 0;
}

struct file_operations cscull_single_fops = {open: single_open, release: single_release};
struct file_operations cscull_uid_fops = {open: uid_open, release: uid_release};
struct file_operations cscull_wuid_fops = {open: wuid_open, release: wuid_release};
struct file_operations cscull_private_fops = {open: private_open, release: private_release};

/* What is not said of these operations is as for plain devices. */
static void complete(struct file_operations *operations)
{
    operations->llseek = cscull_plain_fops.llseek;
    operations->read = cscull_plain_fops.read;
    operations->write = cscull_plain_fops.write;
    operations->ioctl = cscull_plain_fops.ioctl;
    SET_MODULE_OWNER(operations);
}

static int guarded_begin(struct guarded *guarded)
{
    spin_lock_init(&guarded->lock);
    guarded->device = cscull_new();
    return guarded->device ? 0 : -ENOMEM;
}

int cscull_access_begin(void)
{
    complete(&cscull_single_fops);
    complete(&cscull_uid_fops);
    complete(&cscull_wuid_fops);
    complete(&cscull_private_fops);
    spin_lock_init(&privates_lock);
    if (guarded_begin(&single) || guarded_begin(&of_user) || guarded_begin(&of_waiting_user))
        return -ENOMEM;
    return 0;
}

void cscull_access_end(void)
{
    cscull_free(single.device);
    cscull_free(of_user.device);
    cscull_free(of_waiting_user.device);
    while (privates) {
        struct private *next = privates->next;

        cscull_free(privates->device);
        kfree(privates);
        privates = next;
    }
}
