/* See linux/param.h. */
#include <linux/param.h>
