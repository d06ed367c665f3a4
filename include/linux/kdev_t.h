/* Numbers of devices: eight bits say which driver, eight which of its devices. */
#ifndef _LINUX_KDEV_T_H
#define _LINUX_KDEV_T_H

#include <linux/types.h>

#define MINORBITS 8
#define MINORMASK ((1U << MINORBITS) - 1)

#define MAJOR(device) ((unsigned int) ((device) >> MINORBITS))
#define MINOR(device) ((unsigned int) ((device) & MINORMASK))
#define MKDEV(major, minor) ((kdev_t) (((major) << MINORBITS) | (minor)))
#define kdev_t_to_nr(device) (device)
#define to_kdev_t(number) ((kdev_t) (number))
#define NODEV 0

#endif
