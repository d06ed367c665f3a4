/*
 * first.c: the book's first module begins so: it says itself what it is, and has one header.
 */
#define __KERNEL__
#define MODULE
#define __NO_VERSION__
#include <linux/module.h>

int cnames_greet(void)
{
    return printk("<1>Hello, world\n");
}
