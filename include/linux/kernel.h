/*
 * Texts: for the log, and into memory.
 *
 * %p prints all 16 digits of an address, and %8p at least eight without zeros before them, as in 2.4. Nothing prints
 * floating-point numbers. A line without a level gets that of a warning. There is no min and no max here: drivers of
 * the time bring their own.
 */
#ifndef _LINUX_KERNEL_H
#define _LINUX_KERNEL_H

#include <linux/types.h>
#include <linux/stddef.h>
#include <asm/system.h>

#define KERN_EMERG "<0>"	/* the machine cannot go on */
#define KERN_ALERT "<1>"	/* somebody has to act now */
#define KERN_CRIT "<2>"		/* a device or a program has failed for good */
#define KERN_ERR "<3>"		/* something went wrong */
#define KERN_WARNING "<4>"	/* something may go wrong */
#define KERN_NOTICE "<5>"	/* all is well, and somebody may want to know */
#define KERN_INFO "<6>"		/* what was found and started */
#define KERN_DEBUG "<7>"	/* for whoever writes the driver */

#define __PRINTS(text, first) __attribute__((format(printf, text, first)))

/* Any context. Returns how many characters it wrote. */
extern int printk(const char *format, ...) __PRINTS(1, 2);

/* Any context. They return how many characters the whole text has, without the zero behind it. */
extern int sprintf(char *buffer, const char *format, ...) __PRINTS(2, 3);
extern int vsprintf(char *buffer, const char *format, __builtin_va_list arguments);
extern int snprintf(char *buffer, size_t size, const char *format, ...) __PRINTS(3, 4);
extern int vsnprintf(char *buffer, size_t size, const char *format, __builtin_va_list arguments);

/* The number that text begins with; base 0 takes 0x and 0 as C does. *end is set behind it. */
extern unsigned long simple_strtoul(const char *text, char **end, unsigned int base);
extern long simple_strtol(const char *text, char **end, unsigned int base);

#endif
