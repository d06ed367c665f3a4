/*
 * cscullp: memory as devices, in quanta of whole pages.
 */
#include "../items.h"
#include "../orders.h"

static int cscullp_major;
static int cscullp_devs = 4;
static int cscullp_order = 0;
static int cscullp_qset = 500;

MODULE_PARM(cscullp_major, "i");
MODULE_PARM(cscullp_devs, "i");
MODULE_PARM(cscullp_order, "i");
MODULE_PARM(cscullp_qset, "i");
MODULE_DESCRIPTION("memory as devices, in quanta of whole pages");
MODULE_LICENSE("Dual MIT/GPL");

#define DEVICES_MOST 16

static struct device *devices;

static void *quantum_take(const struct device *device)
{
    void *quantum = (void *)__get_free_pages(GFP_KERNEL, device->quantum);

    if (quantum)
        memset(quantum, 0, quantum_bytes(device));
    return quantum;
}

static void quantum_give(const struct device *device, void *quantum)
{
    free_pages((unsigned long)quantum, device->quantum);
}

static void parameters(int *quantum, int *qset)
{
    *quantum = cscullp_order;
    *qset = cscullp_qset;
}

#include "../items.c"
#include "../pages.c"

static struct page *page_of(void *address)
{
    return virt_to_page(address);
}

/* Blocks of several pages have one count, their first page's: they cannot be given back page by page. */
static int cscullp_mmap(struct file *filp, struct vm_area_struct *area)
{
    const struct device *device = filp->private_data;

    return device->quantum ? -ENODEV : map_device(filp, area);
}

static int cscullp_open(struct inode *inode, struct file *filp)
{
    unsigned int number = MINOR(inode->i_rdev);
    int result;

    if (number >= cscullp_devs)
        return -ENODEV;
    result = device_enter(&devices[number], filp);
    if (result == 0)
        MOD_INC_USE_COUNT;
    return result;
}

static int cscullp_release(struct inode *inode, struct file *filp)
{
    MOD_DEC_USE_COUNT;
    return 0;
}

static int cscullp_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg)
{
    if (cmd == ORDER_RESET) {
        cscullp_order = 0;
        cscullp_qset = 500;
        return 0;
    }
    return order_ioctl(cmd, arg, &cscullp_order, &cscullp_qset);
}

static int cscullp_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    return devices_text(devices, cscullp_devs, "order", buf, start, offset, count, eof);
}

static struct file_operations cscullp_fops = {
    llseek: device_llseek,
    read: device_read,
    write: device_write,
    ioctl: cscullp_ioctl,
    mmap: cscullp_mmap,
    open: cscullp_open,
    release: cscullp_release,
};

static int parameters_are_ok(void)
{
    return cscullp_devs >= 1 && cscullp_devs <= DEVICES_MOST && cscullp_order >= 0 && cscullp_order <= ORDER_MOST &&
           cscullp_qset >= 1 && cscullp_qset <= QSET_MOST;
}

int init_module(void)
{
    int i, result;

    if (!parameters_are_ok())
        return -EINVAL;
    SET_MODULE_OWNER(&cscullp_fops);
    result = register_chrdev(cscullp_major, "cscullp", &cscullp_fops);
    if (result < 0)
        return result;
    if (cscullp_major == 0)
        cscullp_major = result;
    devices = kmalloc(cscullp_devs * sizeof(struct device), GFP_KERNEL);
    if (!devices) {
        unregister_chrdev(cscullp_major, "cscullp");
        return -ENOMEM;
    }
    memset(devices, 0, cscullp_devs * sizeof(struct device));
    for (i = 0; i < cscullp_devs; i++)
        device_begin(&devices[i]);
    create_proc_read_entry("cscullpmem", 0, NULL, cscullp_read_proc, NULL);
    return 0;
}

void cleanup_module(void)
{
    int i;

    remove_proc_entry("cscullpmem", 0);
    unregister_chrdev(cscullp_major, "cscullp");
    for (i = 0; i < cscullp_devs; i++)
        device_trim(&devices[i]);
    kfree(devices);
}
