/*
 * Which function begins a module, and which ends it.
 *
 * In a module the marks of code for the start change nothing, as it was in 2.4: a driver may have called such a
 * function later on as well.
 */
#ifndef _LINUX_INIT_H
#define _LINUX_INIT_H

#define __init
#define __exit __attribute__((unused))
#define __initdata
#define __exitdata
#define __devinit
#define __devexit

/* The loader looks for functions of these two names. */
#define module_init(function) \
	int init_module(void) __attribute__((alias(#function)))
#define module_exit(function) \
	void cleanup_module(void) __attribute__((alias(#function)))

#endif
