/*
 * cscullc.h: cscullc's ioctl commands.
 */
#ifndef CSCULLC_H
#define CSCULLC_H

#include <linux/ioctl.h>

#define CSCULLC_MAGIC 'K'
#define CSCULLC_SET_QUANTUM _IOW(CSCULLC_MAGIC, 1, int)
#define CSCULLC_TELL_QUANTUM _IO(CSCULLC_MAGIC, 2)
#define CSCULLC_GET_QUANTUM _IOR(CSCULLC_MAGIC, 3, int)
#define CSCULLC_QUERY_QUANTUM _IO(CSCULLC_MAGIC, 4)
#define CSCULLC_TELL_QSET _IO(CSCULLC_MAGIC, 8)
#define CSCULLC_QUERY_QSET _IO(CSCULLC_MAGIC, 10)

#endif
