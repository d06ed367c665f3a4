/*
 * device.c: /dev/cnames: what a process takes part in.
 *
 * Reading gives a line about the caller. Writing tries user copies with the caller's buffer. A first mapping shows a
 * page of its own and one of vmalloc's; ioctl 1 frees both, which the process goes on seeing until it unmaps them. A
 * second device, 1, has a door.
 */
#include <linux/config.h>
#define __NO_VERSION__
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/tty.h>
#include <linux/vmalloc.h>
#include <asm/pgtable.h>
#include <asm/uaccess.h>

#include "check.h"

static int major;
static char *page, *area;
static int syncs;

/* The second device's door: who opens it waits until ioctl 3 opens the door, or a signal comes. */
static DECLARE_WAIT_QUEUE_HEAD(door);
static int is_open;

static int wait_at_the_door(void)
{
    while (!is_open) {
        interruptible_sleep_on(&door);
        if (signal_pending(current))
            return -ERESTARTSYS;
    }
    return 0;
}

static int cnames_open(struct inode *inode, struct file *filp)
{
    EXPECT(filp->f_dentry->d_inode == inode && MAJOR(inode->i_rdev) == major);
    EXPECT(filp->f_op && filp->f_op->open == cnames_open && filp->f_pos == 0 && !filp->private_data);
    EXPECT((filp->f_flags & O_ACCMODE) == O_WRONLY ? filp->f_mode == FMODE_WRITE : filp->f_mode & FMODE_READ);
    return MINOR(inode->i_rdev) == 1 ? wait_at_the_door() : 0;
}

static ssize_t cnames_read(struct file *filp, char *buf, size_t count, loff_t *f_pos)
{
    char line[100];
    int length;

    if (*f_pos > 0)
        return 0;
    length = sprintf(line, "%s is process %i of user %i, at terminal %i; %i did not hold\n", current->comm,
                     current->pid, current->uid, current->tty ? MINOR(current->tty->device) : -1, cnames_failed);
    if (length > count)
        return -EINVAL;
    if (copy_to_user(buf, line, length))
        return -EFAULT;
    *f_pos += length;
    return length;
}

/* The kernel's addresses are no process's, and neither are those that wrap around. */
static void check_ranges(const char *buf, size_t count)
{
    char byte = 0;

    EXPECT(access_ok(VERIFY_READ, buf, count) && access_ok(VERIFY_WRITE, buf, count));
    EXPECT(!access_ok(VERIFY_READ, page, 1) && !access_ok(VERIFY_WRITE, buf, ~0UL));
    EXPECT(verify_area(VERIFY_READ, buf, count) == 0 && verify_area(VERIFY_READ, page, 1) == -EFAULT);
    EXPECT(copy_from_user(&byte, page, 1) == 1 && copy_to_user(page, &byte, 1) == 1);
    EXPECT(get_user(byte, page) == -EFAULT && put_user(byte, page) == -EFAULT);
}

/* One object of each size, by the pointer's type. The buffer has room for eight bytes. */
static void check_objects(char *buf)
{
    unsigned long eight = 0;
    unsigned int four = 0;
    unsigned short two = 0;
    char one = 0;

    EXPECT(put_user(0x1122334455667788UL, (unsigned long *)buf) == 0 && get_user(eight, (unsigned long *)buf) == 0);
    EXPECT(eight == 0x1122334455667788UL);
    EXPECT(__put_user(0x99aabbcc, (unsigned int *)buf) == 0 && __get_user(four, (unsigned int *)buf) == 0);
    EXPECT(four == 0x99aabbcc && get_user(eight, (unsigned long *)buf) == 0 && eight == 0x1122334499aabbccUL);
    EXPECT(put_user(0xddee, (unsigned short *)buf) == 0 && get_user(two, (unsigned short *)buf) == 0 && two == 0xddee);
    EXPECT(put_user('x', buf) == 0 && get_user(one, buf) == 0 && one == 'x');
    EXPECT(get_user(one, (char *)8) == -EFAULT && put_user(one, (char *)8) == -EFAULT);
    EXPECT(strnlen_user("", 0) >= 0 && clear_user(buf, 8) == 0 && get_user(eight, (unsigned long *)buf) == 0 && !eight);
}

static ssize_t cnames_write(struct file *filp, const char *buf, size_t count, loff_t *f_pos)
{
    char bytes[8];
    mm_segment_t limit = get_fs();

    if (count < sizeof(bytes))
        return -EINVAL;
    EXPECT(f_pos == &filp->f_pos);
    if (copy_from_user(bytes, buf, sizeof(bytes)))
        return -EFAULT;
    check_ranges(buf, count);
    check_objects((char *)buf);
    if (copy_to_user((char *)buf, bytes, sizeof(bytes)))
        return -EFAULT;
    /* With the kernel's limit its own addresses pass: how drivers of the time called functions made for processes. */
    set_fs(KERNEL_DS);
    EXPECT(copy_to_user(page, "kernel", 7) == 0 && strcmp(page, "kernel") == 0);
    set_fs(limit);
    EXPECT(copy_to_user(page, "user", 5) == 5);
    strcpy(page, "a page");
    *f_pos += count;
    return count;
}

static void let_go(void)
{
    free_page((unsigned long)page);
    vfree(area);
    page = NULL;
    area = NULL;
}

static int cnames_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg)
{
    switch (cmd) {
    case 1:
        let_go();
        return 0;
    case 2: /* how many expectations did not hold */
        return cnames_failed;
    case 3:
        is_open = 1;
        wake_up_interruptible(&door);
        return 0;
    case 4: /* how often programs had its file written out */
        return syncs;
    default:
        return -ENOTTY;
    }
}

static struct page *cnames_nopage(struct vm_area_struct *vma, unsigned long address, int unused)
{
    unsigned long number = ((address - vma->vm_start) >> PAGE_SHIFT) + vma->vm_pgoff;
    struct page *found;

    EXPECT(address >= vma->vm_start && address < vma->vm_end && vma->vm_private_data == &major);
    if (number > 1 || !page)
        return number == 3 ? NOPAGE_OOM : NOPAGE_SIGBUS;
    if (number == 0) {
        found = virt_to_page(page);
    } else {
        unsigned long place = VMALLOC_VMADDR(area);

        found = pte_page(*pte_offset(pmd_offset(pgd_offset(&init_mm, place), place), place));
    }
    get_page(found);
    return found;
}

static void area_open(struct vm_area_struct *vma)
{
    MOD_INC_USE_COUNT;
}

static void area_close(struct vm_area_struct *vma)
{
    MOD_DEC_USE_COUNT;
}

static struct vm_operations_struct area_operations = {open: area_open, close: area_close, nopage: cnames_nopage};

static int cnames_mmap(struct file *filp, struct vm_area_struct *vma)
{
    EXPECT(vma->vm_file == filp && vma->vm_end > vma->vm_start && vma->vm_flags & VM_READ);
    vma->vm_flags |= VM_RESERVED;
    vma->vm_ops = &area_operations;
    vma->vm_private_data = &major;
    area_open(vma);
    return 0;
}

static int cnames_fsync(struct file *filp, struct dentry *dentry, int datasync)
{
    EXPECT(filp->f_dentry == dentry);
    syncs++;
    return 0;
}

static int cnames_flush(struct file *filp)
{
    return 0;
}

static int cnames_release(struct inode *inode, struct file *filp)
{
    return 0;
}

static struct file_operations operations = {
    owner: THIS_MODULE,
    llseek: no_llseek,
    read: cnames_read,
    write: cnames_write,
    ioctl: cnames_ioctl,
    mmap: cnames_mmap,
    open: cnames_open,
    flush: cnames_flush,
    fsync: cnames_fsync,
    release: cnames_release,
};

/* More than a page, as a driver writes that has not thought of an end; the kernel's buffer holds it. */
static int cnames_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    int i, length = 0;

    for (i = 0; i < 300; i++)
        length += sprintf(buf + length, "line %3i of %s\n", i, (char *)data);
    *eof = 1;
    return length;
}

int device_begin(void)
{
    page = (char *)get_zeroed_page(GFP_KERNEL);
    area = vmalloc(PAGE_SIZE);
    if (!page || !area) {
        let_go();
        return -ENOMEM;
    }
    strcpy(page, "a page");
    strcpy(area, "an area");
    major = register_chrdev(0, "cnames", &operations);
    if (major < 0) {
        let_go();
        return major;
    }
    EXPECT(register_chrdev(major, "cnames2", &operations) == -EBUSY && unregister_chrdev(major, "cnames2") == -EINVAL);
    create_proc_read_entry("cnames", 0, NULL, cnames_read_proc, "cnames");
    return 0;
}

void device_end(void)
{
    remove_proc_entry("cnames", NULL);
    unregister_chrdev(major, "cnames");
    let_go();
}
