/* See linux/spinlock.h. */
#include <linux/spinlock.h>
