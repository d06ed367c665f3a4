/*
 * pages.c: what cscullp and cscullv have in common, whose quanta are whole pages: ioctl, and areas of processes that
 * show a device. The main file of each includes it behind items.c.
 */

/* Blocks of more pages there are not. */
#define ORDER_MOST 9

static unsigned long quantum_bytes(const struct device *device)
{
    return PAGE_SIZE << device->quantum;
}

/* Does a command, for the driver whose parameters these are. */
static int order_ioctl(unsigned int cmd, unsigned long arg, int *order, int *qset)
{
    if (_IOC_TYPE(cmd) != ORDER_MAGIC)
        return -ENOTTY;
    if (!argument_is_ok(cmd, arg))
        return -EFAULT;
    switch (cmd) {
    case ORDER_SET:
        return number_ioctl(order, WAY_SET, arg, 0, ORDER_MOST);
    case ORDER_TELL:
        return number_ioctl(order, WAY_TELL, arg, 0, ORDER_MOST);
    case ORDER_GET:
        return number_ioctl(order, WAY_GET, arg, 0, ORDER_MOST);
    case ORDER_QUERY:
        return number_ioctl(order, WAY_QUERY, arg, 0, ORDER_MOST);
    case ORDER_EXCHANGE:
        return number_ioctl(order, WAY_EXCHANGE, arg, 0, ORDER_MOST);
    case ORDER_SHIFT:
        return number_ioctl(order, WAY_SHIFT, arg, 0, ORDER_MOST);
    case ORDER_TELL_QSET:
        return number_ioctl(qset, WAY_TELL, arg, 1, QSET_MOST);
    case ORDER_QUERY_QSET:
        return number_ioctl(qset, WAY_QUERY, arg, 1, QSET_MOST);
    default:
        return -ENOTTY;
    }
}

/* The driver's: the page that holds this address of a quantum. */
static struct page *page_of(void *address);

static void area_open(struct vm_area_struct *area)
{
    struct device *device = area->vm_private_data;

    device->mappings++;
    MOD_INC_USE_COUNT;
}

static void area_close(struct vm_area_struct *area)
{
    struct device *device = area->vm_private_data;

    device->mappings--;
    MOD_DEC_USE_COUNT;
}

/* The page behind an address that a process touches first. It is counted once more; unmapping it counts it down. */
static struct page *area_nopage(struct vm_area_struct *area, unsigned long address, int unused)
{
    struct device *device = area->vm_private_data;
    unsigned long offset = address - area->vm_start + (area->vm_pgoff << PAGE_SHIFT);
    struct page *page = NOPAGE_SIGBUS;

    down(&device->lock);
    if (offset < device->size) {
        struct place place = place_of(device, offset);
        char *quantum = quantum_at(device, &place);

        if (quantum) {
            page = page_of(quantum + place.byte);
            get_page(page);
        }
    }
    up(&device->lock);
    return page;
}

static struct vm_operations_struct area_operations = {
    open: area_open,
    close: area_close,
    nopage: area_nopage,
};

/* Maps nothing yet: nopage is asked for each page when it is touched. */
static int map_device(struct file *filp, struct vm_area_struct *area)
{
    area->vm_ops = &area_operations;
    area->vm_flags |= VM_RESERVED;
    area->vm_private_data = filp->private_data;
    area_open(area);
    return 0;
}
