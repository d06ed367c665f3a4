/*
 * device.c: cscull's devices, and the numbers that its commands change. Plain ones are these and nothing more.
 */
#define __NO_VERSION__
#include "../items.h"
#include "cscull.h"

static int cscull_nr_devs = 4;
static int cscull_quantum = 4000;
static int cscull_qset = 1000;
int cscull_p_buffer = 4000;

MODULE_PARM(cscull_nr_devs, "i");
MODULE_PARM(cscull_quantum, "i");
MODULE_PARM(cscull_qset, "i");
MODULE_PARM(cscull_p_buffer, "i");

/* kmalloc's largest object. */
#define QUANTUM_MOST 131072
/* The low half of a minor number says which. */
#define DEVICES_MOST 16

static struct device *devices;

static unsigned long quantum_bytes(const struct device *device)
{
    return device->quantum;
}

static void *quantum_take(const struct device *device)
{
    void *quantum = kmalloc(device->quantum, GFP_KERNEL);

    if (quantum)
        memset(quantum, 0, device->quantum);
    return quantum;
}

static void quantum_give(const struct device *device, void *quantum)
{
    kfree(quantum);
}

static void parameters(int *quantum, int *qset)
{
    *quantum = cscull_quantum;
    *qset = cscull_qset;
}

#include "../items.c"

struct device *cscull_new(void)
{
    struct device *device = kmalloc(sizeof(struct device), GFP_ATOMIC);

    if (!device)
        return NULL;
    memset(device, 0, sizeof(struct device));
    device_begin(device);
    return device;
}

void cscull_free(struct device *device)
{
    if (!device)
        return;
    device_trim(device);
    kfree(device);
}

int cscull_enter(struct device *device, struct file *filp)
{
    int result = device_enter(device, filp);

    if (result == 0)
        MOD_INC_USE_COUNT;
    return result;
}

static int plain_open(struct inode *inode, struct file *filp)
{
    unsigned int number = NUMBER(inode->i_rdev);

    if (number >= cscull_nr_devs)
        return -ENODEV;
    return cscull_enter(&devices[number], filp);
}

static int plain_release(struct inode *inode, struct file *filp)
{
    MOD_DEC_USE_COUNT;
    return 0;
}

/* Numbers that commands change take effect on devices when they are empty. */
int cscull_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg)
{
    static const enum way ways[CSCULL_COMMANDS] = {
        [1] = WAY_SET, WAY_SET, WAY_TELL, WAY_TELL, WAY_GET, WAY_GET, WAY_QUERY, WAY_QUERY,
        WAY_EXCHANGE, WAY_EXCHANGE, WAY_SHIFT, WAY_SHIFT, WAY_TELL, WAY_QUERY,
    };
    unsigned int number = _IOC_NR(cmd);

    if (_IOC_TYPE(cmd) != CSCULL_MAGIC || number >= CSCULL_COMMANDS)
        return -ENOTTY;
    if (!argument_is_ok(cmd, arg))
        return -EFAULT;
    switch (cmd) {
    case CSCULL_RESET:
        cscull_quantum = 4000;
        cscull_qset = 1000;
        return 0;
    case CSCULL_TELL_BUFFER:
    case CSCULL_QUERY_BUFFER:
        return number_ioctl(&cscull_p_buffer, ways[number], arg, 2, QUANTUM_MOST);
    case CSCULL_FORGET_USERS:
        /* For who has lost count while he debugs; the file that asks counts again when it is closed. */
        while (MOD_IN_USE)
            MOD_DEC_USE_COUNT;
        MOD_INC_USE_COUNT;
        return 0;
    }
    if (is_change(ways[number]) && !capable(CAP_SYS_ADMIN))
        return -EPERM;
    if (number % 2)
        return number_ioctl(&cscull_quantum, ways[number], arg, 1, QUANTUM_MOST);
    return number_ioctl(&cscull_qset, ways[number], arg, 1, QSET_MOST);
}

static int cscull_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    return devices_text(devices, cscull_nr_devs, "q", buf, start, offset, count, eof);
}

struct file_operations cscull_plain_fops = {
    llseek: device_llseek,
    read: device_read,
    write: device_write,
    ioctl: cscull_ioctl,
    open: plain_open,
    release: plain_release,
};

static int parameters_are_ok(void)
{
    return cscull_nr_devs >= 1 && cscull_nr_devs <= DEVICES_MOST && cscull_quantum >= 1 &&
           cscull_quantum <= QUANTUM_MOST && cscull_qset >= 1 && cscull_qset <= QSET_MOST;
}

int cscull_plain_begin(void)
{
    int i;

    if (!parameters_are_ok())
        return -EINVAL;
    SET_MODULE_OWNER(&cscull_plain_fops);
    devices = kmalloc(cscull_nr_devs * sizeof(struct device), GFP_KERNEL);
    if (!devices)
        return -ENOMEM;
    memset(devices, 0, cscull_nr_devs * sizeof(struct device));
    for (i = 0; i < cscull_nr_devs; i++)
        device_begin(&devices[i]);
    create_proc_read_entry("cscullmem", 0, NULL, cscull_read_proc, NULL);
    return 0;
}

void cscull_plain_end(void)
{
    int i;

    remove_proc_entry("cscullmem", 0);
    for (i = 0; devices && i < cscull_nr_devs; i++)
        device_trim(&devices[i]);
    kfree(devices);
}
