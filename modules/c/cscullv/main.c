/*
 * cscullv: memory as devices, in quanta from vmalloc.
 */
#include "../items.h"
#include "../orders.h"
#include <linux/vmalloc.h>
#include <asm/pgtable.h>

static int cscullv_major;
static int cscullv_devs = 4;
static int cscullv_order = 4;
static int cscullv_qset = 500;

MODULE_PARM(cscullv_major, "i");
MODULE_PARM(cscullv_devs, "i");
MODULE_PARM(cscullv_order, "i");
MODULE_PARM(cscullv_qset, "i");
MODULE_DESCRIPTION("memory as devices, in quanta from vmalloc");
MODULE_LICENSE("Dual MIT/GPL");

#define DEVICES_MOST 16

static struct device *devices;

static void *quantum_take(const struct device *device)
{
    void *quantum = vmalloc(quantum_bytes(device));

    if (quantum)
        memset(quantum, 0, quantum_bytes(device));
    return quantum;
}

static void quantum_give(const struct device *device, void *quantum)
{
    vfree(quantum);
}

static void parameters(int *quantum, int *qset)
{
    *quantum = cscullv_order;
    *qset = cscullv_qset;
}

#include "../items.c"
#include "../pages.c"

/* An address of vmalloc's is no address of the page: the kernel's page tables say where that is. */
static struct page *page_of(void *address)
{
    unsigned long place = VMALLOC_VMADDR(address);
    struct page *page;
    pgd_t *pgd;
    pmd_t *pmd;
    pte_t *pte;

    spin_lock(&init_mm.page_table_lock);
    pgd = pgd_offset(&init_mm, place);
    pmd = pmd_offset(pgd, place);
    pte = pte_offset(pmd, place);
    page = pte_page(*pte);
    spin_unlock(&init_mm.page_table_lock);
    return page;
}

static int cscullv_mmap(struct file *filp, struct vm_area_struct *area)
{
    return map_device(filp, area);
}

static int cscullv_open(struct inode *inode, struct file *filp)
{
    unsigned int number = MINOR(inode->i_rdev);
    int result;

    if (number >= cscullv_devs)
        return -ENODEV;
    result = device_enter(&devices[number], filp);
    if (result == 0)
        MOD_INC_USE_COUNT;
    return result;
}

static int cscullv_release(struct inode *inode, struct file *filp)
{
    MOD_DEC_USE_COUNT;
    return 0;
}

static int cscullv_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg)
{
    if (cmd == ORDER_RESET) {
        cscullv_order = 4;
        cscullv_qset = 500;
        return 0;
    }
    return order_ioctl(cmd, arg, &cscullv_order, &cscullv_qset);
}

static int cscullv_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    return devices_text(devices, cscullv_devs, "order", buf, start, offset, count, eof);
}

static struct file_operations cscullv_fops = {
    llseek: device_llseek,
    read: device_read,
    write: device_write,
    ioctl: cscullv_ioctl,
    mmap: cscullv_mmap,
    open: cscullv_open,
    release: cscullv_release,
};

static int parameters_are_ok(void)
{
    return cscullv_devs >= 1 && cscullv_devs <= DEVICES_MOST && cscullv_order >= 0 && cscullv_order <= ORDER_MOST &&
           cscullv_qset >= 1 && cscullv_qset <= QSET_MOST;
}

int init_module(void)
{
    int i, result;

    if (!parameters_are_ok())
        return -EINVAL;
    SET_MODULE_OWNER(&cscullv_fops);
    result = register_chrdev(cscullv_major, "cscullv", &cscullv_fops);
    if (result < 0)
        return result;
    if (cscullv_major == 0)
        cscullv_major = result;
    devices = kmalloc(cscullv_devs * sizeof(struct device), GFP_KERNEL);
    if (!devices) {
        unregister_chrdev(cscullv_major, "cscullv");
        return -ENOMEM;
    }
    memset(devices, 0, cscullv_devs * sizeof(struct device));
    for (i = 0; i < cscullv_devs; i++)
        device_begin(&devices[i]);
    create_proc_read_entry("cscullvmem", 0, NULL, cscullv_read_proc, NULL);
    return 0;
}

void cleanup_module(void)
{
    int i;

    remove_proc_entry("cscullvmem", 0);
    unregister_chrdev(cscullv_major, "cscullv");
    for (i = 0; i < cscullv_devs; i++)
        device_trim(&devices[i]);
    kfree(devices);
}
