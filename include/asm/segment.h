/* See asm/uaccess.h. */
#include <asm/uaccess.h>
