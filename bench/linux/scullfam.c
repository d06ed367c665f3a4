// SPDX-License-Identifier: GPL-2.0
/*
 * scullfam - four families of memory-backed character devices that differ
 * only in where a storage unit comes from:
 *
 *   scull0..3    kmalloc(4000)                 1000 units per item
 *   scullc0..3   kmem_cache of 4000-byte units  500 units per item
 *   scullp0..3   __get_free_pages(order 0)      500 units per item
 *   scullv0..3   vmalloc(16 pages)              500 units per item
 *
 * A device is a chain of items; an item has an array of unit pointers.  One
 * read or write call never crosses a unit boundary, so callers see short
 * transfers.  Opening write-only empties the device.
 *
 * /proc/scull{,c,p,v}mem    dump of the structure
 * /proc/scullstat           per device: calls, ticks inside them, and ticks
 *                           from the last open to the matching release
 *                           (write anything to clear)
 * /proc/scullbench          write "FAMILY BYTES BLOCK ROUNDS": copies device
 *                           0 to device 1 inside the kernel and logs ticks
 */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <linux/fs.h>
#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>
#include <linux/mutex.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>
#include <linux/sort.h>
#include <linux/uaccess.h>
#include <linux/version.h>

#include "store.h"

/* ------------------------------------------------------ file operations --- */

static int fam_open(struct inode *inode, struct file *file)
{
	struct store *s = container_of(inode->i_cdev, struct store, cdev);

	file->private_data = s;
	s->opened_at = tick();
	if ((file->f_flags & O_ACCMODE) == O_WRONLY) {
		if (mutex_lock_interruptible(&s->lock))
			return -ERESTARTSYS;
		store_empty(s);
		mutex_unlock(&s->lock);
	}
	return 0;
}

static int fam_release(struct inode *inode, struct file *file)
{
	struct store *s = file->private_data;

	s->open_ticks = tick() - s->opened_at;
	return 0;
}

static ssize_t fam_read(struct file *file, char __user *buf, size_t len,
			loff_t *pos)
{
	struct store *s = file->private_data;
	u64 t0 = tick();
	ssize_t r = store_read(s, buf, NULL, len, pos);

	s->read_ticks += tick() - t0;
	s->nread++;
	return r;
}

static ssize_t fam_write(struct file *file, const char __user *buf, size_t len,
			 loff_t *pos)
{
	struct store *s = file->private_data;
	u64 t0 = tick();
	ssize_t r = store_write(s, buf, NULL, len, pos);

	s->write_ticks += tick() - t0;
	s->nwrite++;
	return r;
}

static loff_t fam_llseek(struct file *file, loff_t off, int whence)
{
	struct store *s = file->private_data;

	return generic_file_llseek_size(file, off, whence, MAX_LFS_FILESIZE,
					s->bytes);
}

static const struct file_operations fam_fops = {
	.owner = THIS_MODULE,
	.open = fam_open,
	.release = fam_release,
	.read = fam_read,
	.write = fam_write,
	.llseek = fam_llseek,
};

/* --------------------------------------------------------------- /proc --- */

static int mem_show(struct seq_file *m, void *unused)
{
	struct family *f = m->private;
	struct item *it;
	unsigned int d, i;

	for (d = 0; d < UNITS_PER_FAMILY; d++) {
		struct store *s = &f->store[d];

		if (mutex_lock_interruptible(&s->lock))
			return -ERESTARTSYS;
		if (f->paged)
			seq_printf(m, "\nDevice %u: qset %u, order %u, sz %lld\n",
				   d, f->nslot, f->order, s->bytes);
		else
			seq_printf(m, "\nDevice %u: qset %u, q %zu, sz %lld\n",
				   d, f->nslot, f->unit, s->bytes);
		for (it = s->first; it; it = it->next) {
			seq_printf(m, "  item at %px, qset at %px\n", it, it->slot);
			/* only the last item in full */
			for (i = 0; it->slot && !it->next && i < f->nslot; i++)
				if (it->slot[i])
					seq_printf(m, "    %4u:%px\n", i,
						   it->slot[i]);
		}
		mutex_unlock(&s->lock);
	}
	return 0;
}

static int stat_show(struct seq_file *m, void *unused)
{
	struct family *f;
	unsigned int d;

	seq_puts(m, "# device bytes nread read_ticks nwrite write_ticks open_to_release_ticks\n");
	for_each_family(f)
		for (d = 0; d < UNITS_PER_FAMILY; d++) {
			struct store *s = &f->store[d];

			seq_printf(m, "%s%u %lld %llu %llu %llu %llu %llu\n",
				   f->name, d, s->bytes, s->nread,
				   s->read_ticks, s->nwrite, s->write_ticks,
				   s->open_ticks);
		}
	return 0;
}

static int stat_open(struct inode *inode, struct file *file)
{
	return single_open(file, stat_show, NULL);
}

static ssize_t stat_clear(struct file *file, const char __user *buf, size_t len,
			  loff_t *pos)
{
	struct family *f;
	unsigned int d;

	for_each_family(f)
		for (d = 0; d < UNITS_PER_FAMILY; d++) {
			struct store *s = &f->store[d];

			s->nread = s->nwrite = 0;
			s->read_ticks = s->write_ticks = s->open_ticks = 0;
		}
	return len;
}

static const struct proc_ops stat_pops = {
	.proc_open = stat_open,
	.proc_read = seq_read,
	.proc_lseek = seq_lseek,
	.proc_release = single_release,
	.proc_write = stat_clear,
};

#include "copy.h"

/* -------------------------------------------------------------- module --- */

static struct class *fam_class;

static void family_stop(struct family *f)
{
	unsigned int d;

	remove_proc_entry(f->procname, NULL);
	for (d = 0; d < UNITS_PER_FAMILY; d++) {
		struct store *s = &f->store[d];

		if (!s->fam)
			continue;
		device_destroy(fam_class, f->devt + d);
		cdev_del(&s->cdev);
		store_empty(s);
		s->fam = NULL;
	}
	if (f->devt)
		unregister_chrdev_region(f->devt, UNITS_PER_FAMILY);
	f->devt = 0;
	kmem_cache_destroy(f->cache);
	f->cache = NULL;
}

static int family_start(struct family *f)
{
	unsigned int d;
	int err;

	err = alloc_chrdev_region(&f->devt, 0, UNITS_PER_FAMILY, f->name);
	if (err)
		return err;
	for (d = 0; d < UNITS_PER_FAMILY; d++) {
		struct store *s = &f->store[d];
		struct device *dev;

		mutex_init(&s->lock);
		cdev_init(&s->cdev, &fam_fops);
		s->cdev.owner = THIS_MODULE;
		err = cdev_add(&s->cdev, f->devt + d, 1);
		if (err)
			return err;
		s->fam = f;
		dev = device_create(fam_class, NULL, f->devt + d, NULL, "%s%u",
				    f->name, d);
		if (IS_ERR(dev))
			return PTR_ERR(dev);
	}
	if (!proc_create_single_data(f->procname, 0444, NULL, mem_show, f))
		return -ENOMEM;
	return 0;
}

static void stop_everything(void)
{
	struct family *f;

	remove_proc_entry("scullbench", NULL);
	remove_proc_entry("scullstat", NULL);
	for_each_family(f)
		family_stop(f);
	class_destroy(fam_class);
}

static int __init fam_init(void)
{
	struct family *f;
	int err = 0;

	families[0].unit = families[1].unit = quantum;
	families[0].nslot = qset;
	families[1].nslot = families[2].nslot = families[3].nslot = qset_small;
	families[2].order = order_p;
	families[3].order = order_v;
	families[2].unit = PAGE_SIZE << order_p;
	families[3].unit = PAGE_SIZE << order_v;

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
	fam_class = class_create("scullfam");
#else
	fam_class = class_create(THIS_MODULE, "scullfam");
#endif
	if (IS_ERR(fam_class))
		return PTR_ERR(fam_class);
	/* user copies need the whole object whitelisted (HARDENED_USERCOPY) */
	families[1].cache = kmem_cache_create_usercopy("scullc", quantum, 0,
			cacheflags, 0, quantum, NULL);
	if (!families[1].cache)
		err = -ENOMEM;
	for_each_family(f) {
		if (!err)
			err = family_start(f);
	}
	if (!err && (!proc_create("scullstat", 0644, NULL, &stat_pops) ||
		     !proc_create("scullbench", 0200, NULL, &bench_pops)))
		err = -ENOMEM;
	if (err)
		stop_everything();
	return err;
}

static void __exit fam_exit(void)
{
	stop_everything();
}

module_init(fam_init);
module_exit(fam_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("memory devices over kmalloc, kmem_cache, pages, vmalloc");
