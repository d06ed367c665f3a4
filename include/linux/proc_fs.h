/*
 * Files in /proc whose text a function writes.
 *
 * A read_proc function is given a page to write to, and asked for count bytes from an offset on. Either it writes all of
 * its text from the start of the page, and says so by *eof; or it sets *start to where in the page what was asked for
 * begins; or, for text longer than a page, it sets *start to a small number, by which the offset then grows. The page is
 * larger than count says, as that of 2.4 was, and one that is overrun by a little damages nobody.
 */
#ifndef _LINUX_PROC_FS_H
#define _LINUX_PROC_FS_H

#include <linux/fs.h>

#define PROC_SUPER_MAGIC 0x9fa0

typedef int read_proc_t(char *page, char **start, off_t offset, int count, int *eof, void *data);
typedef int write_proc_t(struct file *file, const char *buffer, unsigned long count, void *data);
typedef int get_info_t(char *page, char **start, off_t offset, int count);

/* A file. What is below the line may be set between its making and its first use. */
struct proc_dir_entry {
	const char *name;
	struct proc_dir_entry *parent;
	void *__kernel;
	/* ---- */
	mode_t mode;
	uid_t uid;
	gid_t gid;
	struct module *owner;
	struct file_operations *proc_fops;
	get_info_t *get_info;
	read_proc_t *read_proc;
	write_proc_t *write_proc;
	void *data;
	loff_t size;
};

/* /proc itself; NULL for a parent means the same. */
extern struct proc_dir_entry proc_root;

/* NULL when there is no memory, or the name is taken. Process context. */
extern struct proc_dir_entry *create_proc_entry(const char *name, mode_t mode, struct proc_dir_entry *parent);
extern struct proc_dir_entry *create_proc_read_entry(const char *name, mode_t mode, struct proc_dir_entry *parent,
	read_proc_t *read, void *data);
extern struct proc_dir_entry *create_proc_info_entry(const char *name, mode_t mode, struct proc_dir_entry *parent,
	get_info_t *get_info);
extern struct proc_dir_entry *proc_mkdir(const char *name, struct proc_dir_entry *parent);
/* Whoever reads it is waited for. Process context. */
extern void remove_proc_entry(const char *name, struct proc_dir_entry *parent);

#endif
