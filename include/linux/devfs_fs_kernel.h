/* Names of devices made by drivers: this kernel has none of that, and says so by handles that are NULL. */
#ifndef _LINUX_DEVFS_FS_KERNEL_H
#define _LINUX_DEVFS_FS_KERNEL_H

#include <linux/fs.h>

typedef void *devfs_handle_t;

#define DEVFS_FL_NONE 0x000
#define DEVFS_FL_DEFAULT DEVFS_FL_NONE
#define DEVFS_FL_AUTO_OWNER 0x001
#define DEVFS_FL_AUTO_DEVNUM 0x010

static inline devfs_handle_t devfs_register(devfs_handle_t directory, const char *name, unsigned int flags,
	unsigned int major, unsigned int minor, umode_t mode, void *operations, void *info)
{
	return NULL;
}

static inline devfs_handle_t devfs_mk_dir(devfs_handle_t directory, const char *name, void *info)
{
	return NULL;
}

static inline void devfs_unregister(devfs_handle_t handle)
{
}

static inline int devfs_register_chrdev(unsigned int major, const char *name, struct file_operations *operations)
{
	return register_chrdev(major, name, operations);
}

static inline int devfs_unregister_chrdev(unsigned int major, const char *name)
{
	return unregister_chrdev(major, name);
}

#endif
