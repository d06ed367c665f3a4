/*
 * Allocates and frees, so that one sees what that costs in C.
 *
 * A read of N bytes calls kmalloc and kfree N times and gives nothing. The kernel's command bench times it, beside the
 * same loop in the kernel and in a module in Rust.
 */
#include <linux/module.h>
#include <linux/malloc.h>
#include <linux/fs.h>

static int size = 64;
static int major = 240;
MODULE_PARM(size, "i");
MODULE_PARM_DESC(size, "bytes of an object");
MODULE_PARM(major, "i");
MODULE_PARM_DESC(major, "the device's number");
MODULE_DESCRIPTION("allocates and frees as often as bytes are read");
MODULE_LICENSE("Dual MIT/Apache-2.0");

static ssize_t cpairs_read(struct file *file, char *buffer, size_t count, loff_t *position)
{
	while (count--) {
		void *object = kmalloc(size, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		kfree(object);
	}
	return 0;
}

static struct file_operations cpairs_operations = {
	read: cpairs_read,
};

static int cpairs_begin(void)
{
	SET_MODULE_OWNER(&cpairs_operations);
	return register_chrdev(major, "cpairs", &cpairs_operations);
}

static void cpairs_end(void)
{
	unregister_chrdev(major, "cpairs");
}

module_init(cpairs_begin);
module_exit(cpairs_end);
