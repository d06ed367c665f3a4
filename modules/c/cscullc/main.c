/*
 * cscullc: memory as devices, in quanta from a lookaside cache.
 *
 * The quantum is chosen when the module is loaded: another one would need another cache.
 */
#include "../items.h"
#include "cscullc.h"

static int cscullc_major;
static int cscullc_devs = 4;
static int cscullc_quantum = 4000;
static int cscullc_qset = 500;

MODULE_PARM(cscullc_major, "i");
MODULE_PARM(cscullc_devs, "i");
MODULE_PARM(cscullc_quantum, "i");
MODULE_PARM(cscullc_qset, "i");
MODULE_DESCRIPTION("memory as devices, in quanta from a lookaside cache");
MODULE_LICENSE("Dual MIT/GPL");

/* The largest object of a cache. */
#define QUANTUM_MOST 131072
#define DEVICES_MOST 16

static struct device *devices;

/* One cache for the quanta of all devices. */
static kmem_cache_t *cache;

static unsigned long quantum_bytes(const struct device *device)
{
    return device->quantum;
}

static void *quantum_take(const struct device *device)
{
    void *quantum = kmem_cache_alloc(cache, GFP_KERNEL);

    if (quantum)
        memset(quantum, 0, device->quantum);
    return quantum;
}

static void quantum_give(const struct device *device, void *quantum)
{
    kmem_cache_free(cache, quantum);
}

static void parameters(int *quantum, int *qset)
{
    *quantum = cscullc_quantum;
    *qset = cscullc_qset;
}

#include "../items.c"

static int cscullc_open(struct inode *inode, struct file *filp)
{
    unsigned int number = MINOR(inode->i_rdev);
    int result;

    if (number >= cscullc_devs)
        return -ENODEV;
    result = device_enter(&devices[number], filp);
    if (result == 0)
        MOD_INC_USE_COUNT;
    return result;
}

static int cscullc_release(struct inode *inode, struct file *filp)
{
    MOD_DEC_USE_COUNT;
    return 0;
}

static int cscullc_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg)
{
    if (_IOC_TYPE(cmd) != CSCULLC_MAGIC)
        return -ENOTTY;
    if (!argument_is_ok(cmd, arg))
        return -EFAULT;
    switch (cmd) {
    case CSCULLC_GET_QUANTUM:
        return number_ioctl(&cscullc_quantum, WAY_GET, arg, 0, 0);
    case CSCULLC_QUERY_QUANTUM:
        return cscullc_quantum;
    case CSCULLC_SET_QUANTUM:
    case CSCULLC_TELL_QUANTUM:
        return -EPERM;
    case CSCULLC_QUERY_QSET:
        return cscullc_qset;
    case CSCULLC_TELL_QSET:
        return number_ioctl(&cscullc_qset, WAY_TELL, arg, 1, QSET_MOST);
    default:
        return -ENOTTY;
    }
}

static int cscullc_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    return devices_text(devices, cscullc_devs, "quantum", buf, start, offset, count, eof);
}

static struct file_operations cscullc_fops = {
    llseek: device_llseek,
    read: device_read,
    write: device_write,
    ioctl: cscullc_ioctl,
    open: cscullc_open,
    release: cscullc_release,
};

static int parameters_are_ok(void)
{
    return cscullc_devs >= 1 && cscullc_devs <= DEVICES_MOST && cscullc_quantum >= 1 &&
           cscullc_quantum <= QUANTUM_MOST && cscullc_qset >= 1 && cscullc_qset <= QSET_MOST;
}

int init_module(void)
{
    int i, result;

    if (!parameters_are_ok())
        return -EINVAL;
    SET_MODULE_OWNER(&cscullc_fops);
    result = register_chrdev(cscullc_major, "cscullc", &cscullc_fops);
    if (result < 0)
        return result;
    if (cscullc_major == 0)
        cscullc_major = result;
    result = -ENOMEM;
    devices = kmalloc(cscullc_devs * sizeof(struct device), GFP_KERNEL);
    if (!devices)
        goto fail_devices;
    memset(devices, 0, cscullc_devs * sizeof(struct device));
    for (i = 0; i < cscullc_devs; i++)
        device_begin(&devices[i]);
    cache = kmem_cache_create("cscullc", cscullc_quantum, 0, SLAB_HWCACHE_ALIGN, NULL, NULL);
    if (!cache)
        goto fail_cache;
    create_proc_read_entry("cscullcmem", 0, NULL, cscullc_read_proc, NULL);
    return 0;
fail_cache:
    kfree(devices);
fail_devices:
    unregister_chrdev(cscullc_major, "cscullc");
    return result;
}

void cleanup_module(void)
{
    int i;

    remove_proc_entry("cscullcmem", 0);
    unregister_chrdev(cscullc_major, "cscullc");
    for (i = 0; i < cscullc_devs; i++)
        device_trim(&devices[i]);
    kfree(devices);
    if (kmem_cache_destroy(cache))
        printk(KERN_ERR "cscullc: objects of the cache were lost\n");
}
