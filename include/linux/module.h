/*
 * What a module says of itself, what it takes from an insmod line, and who uses it.
 *
 * rmmod refuses a module whose count is not 0. The kernel counts open files by itself; a driver that says who its owner
 * is (SET_MODULE_OWNER) and counts too is counted twice, as in 2.4.
 */
#ifndef _LINUX_MODULE_H
#define _LINUX_MODULE_H

#include <linux/config.h>
#include <linux/types.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <asm/atomic.h>

/* A module, as its code and the kernel see it. The build makes one for each module. */
struct module {
	unsigned long size_of_struct;
	const char *name;
	atomic_t usecount;
	unsigned int flags;
};

extern struct module __this_module __attribute__((visibility("hidden")));
#define THIS_MODULE (&__this_module)

#define MOD_INC_USE_COUNT atomic_inc(&__this_module.usecount)
#define MOD_DEC_USE_COUNT atomic_dec(&__this_module.usecount)
#define MOD_IN_USE (atomic_read(&__this_module.usecount) != 0)
#define __MOD_INC_USE_COUNT(module) atomic_inc(&(module)->usecount)
#define __MOD_DEC_USE_COUNT(module) atomic_dec(&(module)->usecount)

/* Has the kernel count who is about to call into what the structure describes. */
#define SET_MODULE_OWNER(structure) ((structure)->owner = THIS_MODULE)

#define __MODULE_STRING_1(x) #x
#define __MODULE_STRING(x) __MODULE_STRING_1(x)

/* A line KEY=VALUE of the section .modinfo: modinfo shows it, and the loader reads it. */
#define __MODULE_LINE(key, variable, value) \
	static const char __module_##key##_##variable[] \
	__attribute__((section(".modinfo"), used, aligned(1))) = #key "_" #variable "=" value
#define __MODULE_WORD(key, value) \
	static const char __module_##key[] __attribute__((section(".modinfo"), used, aligned(1))) = #key "=" value

/*
 * A parameter: insmod NAME variable=value. The type is a letter: b, h, i, l for numbers of 1, 2, 4 and 8 bytes, s for
 * text; before it may stand how many elements of an array are given, "1-4i".
 */
#define MODULE_PARM(variable, type) \
	__MODULE_LINE(parm, variable, type); \
	/* The compiler learns from this line that others write to it; the linker drops it. */ \
	static void *const __module_set_##variable __attribute__((section(".parm"), used)) = (void *) &variable
#define MODULE_PARM_DESC(variable, text) __MODULE_LINE(parm_desc, variable, text)

#define MODULE_AUTHOR(text) __MODULE_WORD(author, text)
#define MODULE_DESCRIPTION(text) __MODULE_WORD(description, text)
#define MODULE_SUPPORTED_DEVICE(text) __MODULE_WORD(device, text)
#define MODULE_LICENSE(text) __MODULE_WORD(license, text)
#define MODULE_GENERIC_TABLE(type, name)
#define MODULE_DEVICE_TABLE(type, name)

/* All that is global in a module is for others, whether it says so or not. */
#define EXPORT_NO_SYMBOLS extern struct module __this_module
#define EXPORT_SYMBOL(symbol) extern struct module __this_module
#define EXPORT_SYMBOL_GPL(symbol) extern struct module __this_module
#define EXPORT_SYMBOL_NOVERS(symbol) extern struct module __this_module

#endif
