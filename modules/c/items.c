/*
 * items.c: what the scull drivers in C do with items and quanta. The main file of each includes it.
 */

/* Frees all that a device holds, and gives it the present parameters; not while it is mapped. */
static int device_trim(struct device *device)
{
    struct item *item = device->first;

    if (device->mappings)
        return -EBUSY;
    while (item) {
        struct item *next = item->next;
        int i;

        if (item->quanta) {
            for (i = 0; i < device->qset; i++)
                if (item->quanta[i])
                    quantum_give(device, item->quanta[i]);
            kfree(item->quanta);
        }
        kfree(item);
        item = next;
    }
    device->first = NULL;
    device->size = 0;
    parameters(&device->quantum, &device->qset);
    return 0;
}

/* Makes a device of memory that is zero. */
static void device_begin(struct device *device)
{
    sema_init(&device->lock, 1);
    device_trim(device);
}

/* Where an offset lies: in which item, which of its quanta, which byte of that. */
struct place {
    unsigned long item, slot, byte;
};

static struct place place_of(const struct device *device, unsigned long offset)
{
    unsigned long bytes = quantum_bytes(device);
    struct place place;

    place.item = offset / bytes / device->qset;
    place.slot = offset / bytes % device->qset;
    place.byte = offset % bytes;
    return place;
}

/* The quantum at a place, or NULL if nothing was written there. */
static void *quantum_at(const struct device *device, const struct place *place)
{
    const struct item *item = device->first;
    unsigned long i;

    for (i = 0; item && i < place->item; i++)
        item = item->next;
    return item && item->quanta ? item->quanta[place->slot] : NULL;
}

static struct item *new_item(void)
{
    struct item *item = kmalloc(sizeof(struct item), GFP_KERNEL);

    if (item)
        memset(item, 0, sizeof(struct item));
    return item;
}

/* The slot for a quantum, with all the items before it; NULL if memory is short. */
static void **slot_for(struct device *device, const struct place *place)
{
    struct item **link = &device->first;
    unsigned long i;

    for (i = 0;; i++) {
        if (!*link)
            *link = new_item();
        if (!*link)
            return NULL;
        if (i == place->item)
            break;
        link = &(*link)->next;
    }
    if (!(*link)->quanta) {
        (*link)->quanta = kmalloc(device->qset * sizeof(void *), GFP_KERNEL);
        if (!(*link)->quanta)
            return NULL;
        memset((*link)->quanta, 0, device->qset * sizeof(void *));
    }
    return &(*link)->quanta[place->slot];
}

/* Reads to the end of a quantum at most; a hole reads as the end. */
static ssize_t device_read(struct file *filp, char *buf, size_t count, loff_t *f_pos)
{
    struct device *device = filp->private_data;
    ssize_t result = 0;
    struct place place;
    char *quantum;

    if (down_interruptible(&device->lock))
        return -ERESTARTSYS;
    if (*f_pos < 0 || *f_pos >= device->size)
        goto out;
    if (count > device->size - *f_pos)
        count = device->size - *f_pos;
    place = place_of(device, *f_pos);
    quantum = quantum_at(device, &place);
    if (!quantum)
        goto out;
    if (count > quantum_bytes(device) - place.byte)
        count = quantum_bytes(device) - place.byte;
    result = -EFAULT;
    if (copy_to_user(buf, quantum + place.byte, count))
        goto out;
    *f_pos += count;
    result = count;
out:
    up(&device->lock);
    return result;
}

/* Writes to the end of a quantum at most. */
static ssize_t device_write(struct file *filp, const char *buf, size_t count, loff_t *f_pos)
{
    struct device *device = filp->private_data;
    ssize_t result = -EFBIG;
    struct place place;
    void **slot;

    if (down_interruptible(&device->lock))
        return -ERESTARTSYS;
    place = place_of(device, *f_pos);
    if (*f_pos < 0 || place.item >= ITEMS_MOST)
        goto out;
    result = -ENOMEM;
    slot = slot_for(device, &place);
    if (!slot)
        goto out;
    if (!*slot)
        *slot = quantum_take(device);
    if (!*slot)
        goto out;
    if (count > quantum_bytes(device) - place.byte)
        count = quantum_bytes(device) - place.byte;
    result = -EFAULT;
    if (copy_from_user((char *)*slot + place.byte, buf, count))
        goto out;
    *f_pos += count;
    if (device->size < *f_pos)
        device->size = *f_pos;
    result = count;
out:
    up(&device->lock);
    return result;
}

static loff_t device_llseek(struct file *filp, loff_t offset, int whence)
{
    struct device *device = filp->private_data;

    switch (whence) {
    case 0: /* SEEK_SET */
        break;
    case 1: /* SEEK_CUR */
        offset += filp->f_pos;
        break;
    case 2: /* SEEK_END */
        offset += device->size;
        break;
    default:
        return -EINVAL;
    }
    if (offset < 0)
        return -EINVAL;
    filp->f_pos = offset;
    return offset;
}

/* The part of open that all devices share: who opens one only to write begins anew. */
static int device_enter(struct device *device, struct file *filp)
{
    if ((filp->f_flags & O_ACCMODE) == O_WRONLY) {
        if (down_interruptible(&device->lock))
            return -ERESTARTSYS;
        device_trim(device); /* while it is mapped it stays as it is */
        up(&device->lock);
    }
    filp->private_data = device;
    return 0;
}

/* The text of one device for /proc: a line for it, one for each item, and one for each quantum of the last item. */
static int device_text(struct device *device, int number, const char *kind, char *buf, int room)
{
    struct item *item;
    int i, len;

    len = sprintf(buf, "\nDevice %i: qset %i, %s %i, sz %li\n", number, device->qset, kind, device->quantum,
                  (long)device->size);
    for (item = device->first; item && len <= room; item = item->next) {
        len += sprintf(buf + len, "  item at %p, qset at %p\n", item, item->quanta);
        if (!item->quanta || item->next)
            continue;
        for (i = 0; i < device->qset && len <= room; i++)
            if (item->quanta[i])
                len += sprintf(buf + len, "    % 4i:%8p\n", i, item->quanta[i]);
    }
    return len;
}

/* Bytes of the longest line of such a text, and some more. */
#define LINE_MOST 100

/* What read_proc is to do. The text has a page at most; all of it is made at each call, and a part is handed on. */
static int devices_text(struct device *devices, int number, const char *kind, char *buf, char **start, off_t offset,
                        int count, int *eof)
{
    int i, len = 0, room = PAGE_SIZE - 2 * LINE_MOST;

    for (i = 0; i < number && len <= room; i++) {
        if (down_interruptible(&devices[i].lock))
            return -ERESTARTSYS;
        len += device_text(&devices[i], i, kind, buf + len, room - len);
        up(&devices[i].lock);
    }
    if (len <= offset + count)
        *eof = 1;
    *start = buf + offset;
    len -= offset;
    if (len > count)
        len = count;
    return len < 0 ? 0 : len;
}

/* A number that ioctl reads, writes, or both, by the six ways that there are to do it. */
enum way { WAY_SET, WAY_TELL, WAY_GET, WAY_QUERY, WAY_EXCHANGE, WAY_SHIFT };

static int is_change(enum way way)
{
    return way != WAY_GET && way != WAY_QUERY;
}

/* Does it to `number`, which is to lie from `least` to `most`. */
static int number_ioctl(int *number, enum way way, unsigned long arg, int least, int most)
{
    int old = *number, new = arg;

    if (way == WAY_SET || way == WAY_EXCHANGE)
        if (get_user(new, (int *)arg))
            return -EFAULT;
    if (is_change(way) && (new < least || new > most))
        return -EINVAL;
    if (way == WAY_GET || way == WAY_EXCHANGE)
        if (put_user(old, (int *)arg))
            return -EFAULT;
    if (is_change(way))
        *number = new;
    return way == WAY_QUERY || way == WAY_SHIFT ? old : 0;
}

/* Whether a command's argument points to memory of the caller's, where the command says that it is a pointer. */
static int argument_is_ok(unsigned int cmd, unsigned long arg)
{
    int direction = _IOC_DIR(cmd);

    if (direction & _IOC_READ)
        return access_ok(VERIFY_WRITE, (void *)arg, _IOC_SIZE(cmd));
    if (direction & _IOC_WRITE)
        return access_ok(VERIFY_READ, (void *)arg, _IOC_SIZE(cmd));
    return 1;
}
