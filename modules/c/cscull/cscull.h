/*
 * cscull.h: what the files of cscull know of each other, and its ioctl commands.
 */
#ifndef CSCULL_H
#define CSCULL_H

#include <linux/ioctl.h>

struct device;
struct file;
struct inode;
struct file_operations;

/* Kinds of devices: the high half of a minor number. */
enum kind { KIND_PLAIN, KIND_PIPE, KIND_SINGLE, KIND_UID, KIND_WUID, KIND_PRIVATE, KINDS };

#define KIND(rdev) (MINOR(rdev) >> 4)
#define NUMBER(rdev) (MINOR(rdev) & 0xf)

/* device.c */
extern struct file_operations cscull_plain_fops;
/* The bytes of a pipe's ring. */
extern int cscull_p_buffer;
int cscull_plain_begin(void);
void cscull_plain_end(void);
int cscull_ioctl(struct inode *inode, struct file *filp, unsigned int cmd, unsigned long arg);
/* A new device, empty; NULL if memory is short. Does not sleep: a lock may be held. */
struct device *cscull_new(void);
/* Frees it with all that it holds. */
void cscull_free(struct device *device);
/* The part of open that all plain devices share. */
int cscull_enter(struct device *device, struct file *filp);

/* pipe.c */
extern struct file_operations cscull_pipe_fops;
int cscull_pipe_begin(void);
void cscull_pipe_end(void);

/* access.c */
extern struct file_operations cscull_single_fops, cscull_uid_fops, cscull_wuid_fops, cscull_private_fops;
int cscull_access_begin(void);
void cscull_access_end(void);

/*
 * Commands. Set and get go through a pointer; tell has the value as argument, and query returns it; exchange and shift
 * do both at once.
 */
#define CSCULL_MAGIC 'k'
#define CSCULL_RESET _IO(CSCULL_MAGIC, 0)
#define CSCULL_SET_QUANTUM _IOW(CSCULL_MAGIC, 1, int)
#define CSCULL_SET_QSET _IOW(CSCULL_MAGIC, 2, int)
#define CSCULL_TELL_QUANTUM _IO(CSCULL_MAGIC, 3)
#define CSCULL_TELL_QSET _IO(CSCULL_MAGIC, 4)
#define CSCULL_GET_QUANTUM _IOR(CSCULL_MAGIC, 5, int)
#define CSCULL_GET_QSET _IOR(CSCULL_MAGIC, 6, int)
#define CSCULL_QUERY_QUANTUM _IO(CSCULL_MAGIC, 7)
#define CSCULL_QUERY_QSET _IO(CSCULL_MAGIC, 8)
#define CSCULL_EXCHANGE_QUANTUM _IOWR(CSCULL_MAGIC, 9, int)
#define CSCULL_EXCHANGE_QSET _IOWR(CSCULL_MAGIC, 10, int)
#define CSCULL_SHIFT_QUANTUM _IO(CSCULL_MAGIC, 11)
#define CSCULL_SHIFT_QSET _IO(CSCULL_MAGIC, 12)
#define CSCULL_TELL_BUFFER _IO(CSCULL_MAGIC, 13)
#define CSCULL_QUERY_BUFFER _IO(CSCULL_MAGIC, 14)
#define CSCULL_FORGET_USERS _IO(CSCULL_MAGIC, 15)
#define CSCULL_COMMANDS 16

#endif
