/* Terminals: see struct tty_struct. */
#ifndef _LINUX_TTY_H
#define _LINUX_TTY_H

#include <linux/fs.h>
#include <linux/sched.h>

#endif
