/* kmalloc's header by its name in the book; see linux/slab.h. */
#ifndef _LINUX_MALLOC_H
#define _LINUX_MALLOC_H

#include <linux/slab.h>
#include <linux/string.h>

#endif
