/*
 * What can be done with a file at once, for programs that wait for several.
 *
 * The driver's poll names the queues that are woken when that changes (poll_wait, which does not wait), and returns what
 * can be done now.
 */
#ifndef _LINUX_POLL_H
#define _LINUX_POLL_H

#include <linux/wait.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <asm/uaccess.h>

#define POLLIN 0x0001
#define POLLPRI 0x0002
#define POLLOUT 0x0004
#define POLLERR 0x0008
#define POLLHUP 0x0010
#define POLLNVAL 0x0020
#define POLLRDNORM 0x0040
#define POLLRDBAND 0x0080
#define POLLWRNORM 0x0100
#define POLLWRBAND 0x0200
#define POLLMSG 0x0400

typedef struct poll_table_struct poll_table;

extern void poll_wait(struct file *file, wait_queue_head_t *queue, poll_table *table);

#endif
