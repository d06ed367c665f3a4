/*
 * Files, and what a driver does for those of its devices.
 *
 * A structure file is there from open to release, one for each open file: its address, and that of its f_pos, stay the
 * same. read and write are called with the address of that f_pos, pread and pwrite with that of another number.
 */
#ifndef _LINUX_FS_H
#define _LINUX_FS_H

#include <linux/types.h>
#include <linux/kdev_t.h>
#include <linux/stat.h>
#include <linux/fcntl.h>
#include <linux/wait.h>
#include <asm/atomic.h>
#include <asm/semaphore.h>
#include <linux/ioctl.h>

struct module;
struct poll_table_struct;
struct vm_area_struct;
struct fasync_struct;
struct iovec;
struct page;
struct file_lock;

#define FMODE_READ 1
#define FMODE_WRITE 2

#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

/* The file that a name stands for: of a device, its number. */
struct inode {
	kdev_t i_rdev;
	umode_t i_mode;
	uid_t i_uid;
	gid_t i_gid;
	unsigned long i_ino;
	loff_t i_size;
	union {
		void *generic_ip;	/* unused: the kernel makes an inode for each open */
	} u;
};

struct dentry {
	struct inode *d_inode;
};

/* An open file. */
struct file {
	struct dentry *f_dentry;	/* f_dentry->d_inode is the device */
	struct file_operations *f_op;	/* open may put another table here */
	unsigned int f_flags;		/* O_NONBLOCK and the like */
	mode_t f_mode;			/* FMODE_READ, FMODE_WRITE */
	loff_t f_pos;			/* where read and write go on */
	void *private_data;		/* the driver's own; NULL at open */
	void *__kernel;			/* the kernel's own */
};

typedef int (*filldir_t)(void *buffer, const char *name, int length, loff_t position, ino_t inode, unsigned type);

/* What may be left out is NULL. Sizes and results are bytes; less than 0 is an error. All may sleep. */
struct file_operations {
	struct module *owner;		/* counted while a file is open: SET_MODULE_OWNER */
	loff_t (*llseek)(struct file *file, loff_t offset, int whence);
	ssize_t (*read)(struct file *file, char *buffer, size_t count, loff_t *position);
	ssize_t (*write)(struct file *file, const char *buffer, size_t count, loff_t *position);
	int (*readdir)(struct file *file, void *buffer, filldir_t fill);
	unsigned int (*poll)(struct file *file, struct poll_table_struct *table);
	int (*ioctl)(struct inode *inode, struct file *file, unsigned int command, unsigned long argument);
	int (*mmap)(struct file *file, struct vm_area_struct *area);
	int (*open)(struct inode *inode, struct file *file);
	int (*flush)(struct file *file);	/* at the last close, before release; 2.4 calls it at each */
	int (*release)(struct inode *inode, struct file *file);
	int (*fsync)(struct file *file, struct dentry *dentry, int datasync);
	int (*fasync)(int descriptor, struct file *file, int on);
	int (*lock)(struct file *file, int command, struct file_lock *lock);
	ssize_t (*readv)(struct file *file, const struct iovec *vectors, unsigned long count, loff_t *position);
	ssize_t (*writev)(struct file *file, const struct iovec *vectors, unsigned long count, loff_t *position);
	ssize_t (*sendpage)(struct file *file, struct page *page, int offset, size_t size, loff_t *position, int more);
	unsigned long (*get_unmapped_area)(struct file *file, unsigned long address, unsigned long size,
		unsigned long offset, unsigned long flags);
};

/*
 * Has the kernel call the operations for devices of this major number, from 1 to 254; for 0 it takes a free one, and
 * returns it. Less than 0 is an error. Process context.
 */
extern int register_chrdev(unsigned int major, const char *name, struct file_operations *operations);
/* 0, or EINVAL when the number and the name are not what was registered. Process context. */
extern int unregister_chrdev(unsigned int major, const char *name);

/* Puts a file on a list of those whose owners want a signal, or takes it off: for the operation fasync. */
extern int fasync_helper(int descriptor, struct file *file, int on, struct fasync_struct **list);
/* Sends the signal to all on the list. The band says what for: POLL_IN, POLL_OUT. Any context. */
extern void kill_fasync(struct fasync_struct **list, int signal, int band);

/* For a device without positions: an llseek that refuses. */
extern loff_t no_llseek(struct file *file, loff_t offset, int whence);

#endif
