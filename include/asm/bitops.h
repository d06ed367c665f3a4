/* Single bits of a bitmap, changed in one step. Bit 0 is the lowest of the first word. */
#ifndef _ASM_BITOPS_H
#define _ASM_BITOPS_H

#define __BITS(address) (*(volatile unsigned long (*)[1 << 20]) (address))

static inline void set_bit(long nr, volatile void *address)
{
	asm volatile("lock btsq %1, %0" : "+m" (__BITS(address)) : "r" (nr) : "memory");
}

static inline void clear_bit(long nr, volatile void *address)
{
	asm volatile("lock btrq %1, %0" : "+m" (__BITS(address)) : "r" (nr) : "memory");
}

static inline void change_bit(long nr, volatile void *address)
{
	asm volatile("lock btcq %1, %0" : "+m" (__BITS(address)) : "r" (nr) : "memory");
}

/* These three return what the bit was before. */
static inline int test_and_set_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btsq %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" (nr) : "memory");
	return was;
}

static inline int test_and_clear_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btrq %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" (nr) : "memory");
	return was;
}

static inline int test_and_change_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btcq %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" (nr) : "memory");
	return was;
}

static inline int test_bit(long nr, const volatile void *address)
{
	return (((const volatile unsigned int *) address)[nr >> 5] >> (nr & 31)) & 1;
}

#endif
