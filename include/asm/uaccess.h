/*
 * Memory of processes: copied, never followed.
 *
 * All of these may sleep. A copy returns how many bytes it left out: 0 when all went well. What the thread that runs may
 * name is limited: while it serves a program, to addresses of that program, whatever the program has passed; while the
 * kernel itself reads and writes a file, to anything. set_fs changes that, and whoever changes it changes it back.
 */
#ifndef _ASM_UACCESS_H
#define _ASM_UACCESS_H

#include <linux/types.h>
#include <linux/errno.h>

#define VERIFY_READ 0
#define VERIFY_WRITE 1

/* Whether the addresses are the program's at all; that memory is there, the copy finds out. 1 for yes. */
extern int __access_ok(unsigned long address, unsigned long size);
#define access_ok(type, address, size) __access_ok((unsigned long) (address), (unsigned long) (size))
/* The same as an error, for drivers of 2.0. */
#define verify_area(type, address, size) (access_ok((type), (address), (size)) ? 0 : -EFAULT)

extern unsigned long copy_to_user(void *to, const void *from, unsigned long size);
extern unsigned long copy_from_user(void *to, const void *from, unsigned long size);
#define __copy_to_user(to, from, size) copy_to_user((to), (from), (size))
#define __copy_from_user(to, from, size) copy_from_user((to), (from), (size))
extern unsigned long clear_user(void *to, unsigned long size);
#define __clear_user(to, size) clear_user((to), (size))
/* The length of the text with its zero; 0 if it cannot be read. */
extern long strnlen_user(const char *text, long size);
#define strlen_user(text) strnlen_user((text), ~0UL >> 1)
/* How many characters were copied, at most size: without the zero, if it is among them. */
extern long strncpy_from_user(char *to, const char *from, long size);

/* One value of the pointer's type: 0, or EFAULT with a minus. */
#define put_user(value, to) \
({ \
	__typeof__(*(to)) __value = (value); \
	copy_to_user((to), &__value, sizeof(__value)) ? -EFAULT : 0; \
})
#define get_user(variable, from) \
({ \
	unsigned long __value = 0; \
	int __error = copy_from_user(&__value, (from), sizeof(*(from))) ? -EFAULT : 0; \
	(variable) = (__typeof__(*(from))) __value; \
	__error; \
})
#define __put_user(value, to) put_user((value), (to))
#define __get_user(variable, from) get_user((variable), (from))

/* The limit of the thread that runs. */
typedef struct { unsigned long seg; } mm_segment_t;
#define KERNEL_DS ((mm_segment_t) { ~0UL })
#define USER_DS ((mm_segment_t) { 0x0000800000000000UL })
extern mm_segment_t get_fs(void);
extern void set_fs(mm_segment_t limit);
#define get_ds() KERNEL_DS
#define segment_eq(left, right) ((left).seg == (right).seg)

#endif
