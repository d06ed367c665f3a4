/*
 * pipe.c: cscull's pipes: a ring of bytes whose readers wait until there are some, and whose writers wait for room.
 *
 * All that wants to wait is here: down_interruptible, wait_event_interruptible, poll, O_NONBLOCK, and SIGIO for who
 * would rather be told (fasync). The offset of a file means nothing: pread and pwrite are refused.
 */
#define __NO_VERSION__
#include <linux/module.h>

#include <linux/kernel.h>
#include <linux/malloc.h>
#include <linux/fs.h>
#include <linux/proc_fs.h>
#include <linux/errno.h>
#include <linux/types.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/poll.h>
#include <asm/uaccess.h>

#include "cscull.h"

static int cscull_p_nr_devs = 4;

MODULE_PARM(cscull_p_nr_devs, "i");

/* A pipe. It is empty if `get` and `put` are the same; a byte of the ring is never used. */
struct pipe {
    wait_queue_head_t readers, writers;
    char *ring;
    size_t bytes;                /* of the ring */
    size_t get, put;             /* where the next byte is read, where one is written */
    int open_to_read, open_to_write;
    struct fasync_struct *told;  /* who is told by SIGIO */
    struct semaphore lock;       /* for all of the above */
};

static struct pipe *pipes;

static size_t filled(const struct pipe *pipe)
{
    return (pipe->put + pipe->bytes - pipe->get) % pipe->bytes;
}

static size_t room(const struct pipe *pipe)
{
    return pipe->bytes - 1 - filled(pipe);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The ring comes with the first who opens the pipe. The lock is held. */
static int ring_begin(struct pipe *pipe)
{
    if (pipe->ring)
        return 0;
    pipe->bytes = cscull_p_buffer;
    pipe->ring = kmalloc(pipe->bytes, GFP_KERNEL);
    if (!pipe->ring)
        return -ENOMEM;
    pipe->get = pipe->put = 0;
    return 0;
}

static int pipe_open(struct inode *inode, struct file *filp)
{
    unsigned int number = NUMBER(inode->i_rdev);
    struct pipe *pipe = pipes + number;
    int result;

    if (number >= cscull_p_nr_devs)
        return -ENODEV;
    if (down_interruptible(&pipe->lock))
        return -ERESTARTSYS;
    result = ring_begin(pipe);
    if (result == 0) {
        pipe->open_to_read += !!(filp->f_mode & FMODE_READ);
        pipe->open_to_write += !!(filp->f_mode & FMODE_WRITE);
        filp->private_data = pipe;
        MOD_INC_USE_COUNT;
    }
    up(&pipe->lock);
    return result;
}

static int pipe_fasync(int fd, struct file *filp, int on)
{
    struct pipe *pipe = filp->private_data;

    return fasync_helper(fd, filp, on, &pipe->told);
}

static int pipe_release(struct inode *inode, struct file *filp)
{
    struct pipe *pipe = filp->private_data;

    pipe_fasync(-1, filp, 0);
    down(&pipe->lock);
    pipe->open_to_read -= !!(filp->f_mode & FMODE_READ);
    pipe->open_to_write -= !!(filp->f_mode & FMODE_WRITE);
    if (pipe->open_to_read + pipe->open_to_write == 0) {
        kfree(pipe->ring);
        pipe->ring = NULL;
    }
    up(&pipe->lock);
    MOD_DEC_USE_COUNT;
    return 0;
}

static ssize_t pipe_read(struct file *filp, char *buf, size_t count, loff_t *f_pos)
{
    struct pipe *pipe = filp->private_data;

    if (f_pos != &filp->f_pos)
        return -ESPIPE;
    if (down_interruptible(&pipe->lock))
        return -ERESTARTSYS;
    while (filled(pipe) == 0) {
        up(&pipe->lock);
        if (filp->f_flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(pipe->readers, filled(pipe) > 0))
            return -ERESTARTSYS;
        if (down_interruptible(&pipe->lock))
            return -ERESTARTSYS;
    }
    count = least(count, least(filled(pipe), pipe->bytes - pipe->get));
    if (copy_to_user(buf, pipe->ring + pipe->get, count)) {
        up(&pipe->lock);
        return -EFAULT;
    }
    pipe->get = (pipe->get + count) % pipe->bytes;
    up(&pipe->lock);
    wake_up_interruptible(&pipe->writers);
    return count;
}

static ssize_t pipe_write(struct file *filp, const char *buf, size_t count, loff_t *f_pos)
{
    struct pipe *pipe = filp->private_data;

    if (f_pos != &filp->f_pos)
        return -ESPIPE;
    if (down_interruptible(&pipe->lock))
        return -ERESTARTSYS;
    while (room(pipe) == 0) {
        up(&pipe->lock);
        if (filp->f_flags & O_NONBLOCK)
            return -EAGAIN;
        if (wait_event_interruptible(pipe->writers, room(pipe) > 0))
            return -ERESTARTSYS;
        if (down_interruptible(&pipe->lock))
            return -ERESTARTSYS;
    }
    count = least(count, least(room(pipe), pipe->bytes - pipe->put));
    if (copy_from_user(pipe->ring + pipe->put, buf, count)) {
        up(&pipe->lock);
        return -EFAULT;
    }
    pipe->put = (pipe->put + count) % pipe->bytes;
    up(&pipe->lock);
    wake_up_interruptible(&pipe->readers);
    if (pipe->told)
        kill_fasync(&pipe->told, SIGIO, POLL_IN);
    return count;
}

static unsigned int pipe_poll(struct file *filp, poll_table *table)
{
    struct pipe *pipe = filp->private_data;
    unsigned int ready = 0;

    poll_wait(filp, &pipe->readers, table);
    poll_wait(filp, &pipe->writers, table);
    if (filled(pipe) > 0)
        ready |= POLLIN | POLLRDNORM;
    if (room(pipe) > 0)
        ready |= POLLOUT | POLLWRNORM;
    return ready;
}

static loff_t pipe_llseek(struct file *filp, loff_t offset, int whence)
{
    return -ESPIPE;
}

struct file_operations cscull_pipe_fops = {
    llseek: pipe_llseek,
    read: pipe_read,
    write: pipe_write,
    poll: pipe_poll,
    ioctl: cscull_ioctl,
    open: pipe_open,
    release: pipe_release,
    fasync: pipe_fasync,
};

/* A few lines for each pipe: they fit in what read_proc is given for the 16 that there may be. */
static int pipe_read_proc(char *buf, char **start, off_t offset, int count, int *eof, void *data)
{
    int i, len = sprintf(buf, "Default buffersize is %i\n", cscull_p_buffer);

    for (i = 0; i < cscull_p_nr_devs; i++) {
        struct pipe *pipe = &pipes[i];

        if (down_interruptible(&pipe->lock))
            return -ERESTARTSYS;
        len += sprintf(buf + len, "\nDevice %i: %p\n", i, pipe);
        if (pipe->ring)
            len += sprintf(buf + len, "   %i of %i bytes\n", (int)filled(pipe), (int)pipe->bytes - 1);
        len += sprintf(buf + len, "   readers %i   writers %i\n", pipe->open_to_read, pipe->open_to_write);
        up(&pipe->lock);
    }
    *eof = 1;
    *start = buf + offset;
    return len <= offset ? 0 : len - offset;
}

int cscull_pipe_begin(void)
{
    int i;

    if (cscull_p_nr_devs < 1 || cscull_p_nr_devs > 16 || cscull_p_buffer < 2)
        return -EINVAL;
    SET_MODULE_OWNER(&cscull_pipe_fops);
    pipes = kmalloc(cscull_p_nr_devs * sizeof(struct pipe), GFP_KERNEL);
    if (!pipes)
        return -ENOMEM;
    memset(pipes, 0, cscull_p_nr_devs * sizeof(struct pipe));
    for (i = 0; i < cscull_p_nr_devs; i++) {
        init_waitqueue_head(&pipes[i].readers);
        init_waitqueue_head(&pipes[i].writers);
        sema_init(&pipes[i].lock, 1);
    }
    create_proc_read_entry("cscullpipe", 0, NULL, pipe_read_proc, NULL);
    return 0;
}

void cscull_pipe_end(void)
{
    remove_proc_entry("cscullpipe", 0);
    kfree(pipes);
    pipes = NULL;
}
