/*
 * orders.h: the ioctl commands of cscullp and cscullv, whose quanta are whole pages.
 */
#ifndef ORDERS_H
#define ORDERS_H

#include <linux/ioctl.h>

#define ORDER_MAGIC 'K'
#define ORDER_RESET _IO(ORDER_MAGIC, 0)
#define ORDER_SET _IOW(ORDER_MAGIC, 1, int)
#define ORDER_TELL _IO(ORDER_MAGIC, 2)
#define ORDER_GET _IOR(ORDER_MAGIC, 3, int)
#define ORDER_QUERY _IO(ORDER_MAGIC, 4)
#define ORDER_EXCHANGE _IOWR(ORDER_MAGIC, 5, int)
#define ORDER_SHIFT _IO(ORDER_MAGIC, 6)
#define ORDER_TELL_QSET _IO(ORDER_MAGIC, 8)
#define ORDER_QUERY_QSET _IO(ORDER_MAGIC, 10)

#endif
