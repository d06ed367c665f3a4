/*
 * Devices: their memory, and their ports.
 *
 * Device memory is mapped by ioremap and reached by readb and its kin, never by following the pointer. ioremap takes
 * no memory; the address need not be one of a page. May sleep.
 * (Chapter: "vmalloc and Friends", on ioremap.)
 */
#ifndef _ASM_IO_H
#define _ASM_IO_H

#include <linux/types.h>
#include <asm/page.h>

extern void *ioremap(unsigned long address, unsigned long size);
extern void *ioremap_nocache(unsigned long address, unsigned long size);
extern void iounmap(void *address);

#define readb(address) (*(volatile unsigned char *) (address))
#define readw(address) (*(volatile unsigned short *) (address))
#define readl(address) (*(volatile unsigned int *) (address))
#define writeb(value, address) ((void) (*(volatile unsigned char *) (address) = (value)))
#define writew(value, address) ((void) (*(volatile unsigned short *) (address) = (value)))
#define writel(value, address) ((void) (*(volatile unsigned int *) (address) = (value)))

/*
 * Many bytes: in whole words of 4 while a word of the device's begins there and as much is left, one by one else, since
 * registers are to be read and written whole.
 */
#define __WHOLE_WORD(address, size) ((size) >= 4 && ((unsigned long) (address) & 3) == 0)

static inline void memcpy_fromio(void *to, const volatile void *address, size_t size)
{
	const volatile unsigned char *from = address;
	unsigned char *byte = to;

	while (size) {
		size_t step = __WHOLE_WORD(from, size) ? 4 : 1;

		if (step == 4) {
			unsigned int word = readl(from);

			__builtin_memcpy(byte, &word, 4);
		} else {
			*byte = readb(from);
		}
		from += step;
		byte += step;
		size -= step;
	}
}

static inline void memcpy_toio(volatile void *address, const void *from, size_t size)
{
	volatile unsigned char *to = address;
	const unsigned char *byte = from;

	while (size) {
		size_t step = __WHOLE_WORD(to, size) ? 4 : 1;

		if (step == 4) {
			unsigned int word;

			__builtin_memcpy(&word, byte, 4);
			writel(word, to);
		} else {
			writeb(*byte, to);
		}
		to += step;
		byte += step;
		size -= step;
	}
}

static inline void memset_io(volatile void *address, int byte, size_t size)
{
	volatile unsigned char *to = address;

	while (size) {
		size_t step = __WHOLE_WORD(to, size) ? 4 : 1;

		if (step == 4)
			writel((unsigned char) byte * 0x01010101U, to);
		else
			writeb(byte, to);
		to += step;
		size -= step;
	}
}

#define virt_to_bus virt_to_phys
#define bus_to_virt phys_to_virt

#define __PORTS(suffix, type) \
static inline type in##suffix(unsigned short port) \
{ \
	type value; \
	asm volatile("in" #suffix " %1, %0" : "=a" (value) : "Nd" (port)); \
	return value; \
} \
static inline void out##suffix(type value, unsigned short port) \
{ \
	asm volatile("out" #suffix " %0, %1" : : "a" (value), "Nd" (port)); \
}

__PORTS(b, unsigned char)
__PORTS(w, unsigned short)
__PORTS(l, unsigned int)
#undef __PORTS

/* The same, with a little time for slow devices. */
#define inb_p(port) ({ unsigned char __value = inb(port); outb(0, 0x80); __value; })
#define outb_p(value, port) ({ outb((value), (port)); outb(0, 0x80); })

#endif
