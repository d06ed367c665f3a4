/* Single bits of a bitmap, changed in one step. Bit 0 is the lowest of the first word. */
#ifndef _ASM_BITOPS_H
#define _ASM_BITOPS_H

/* The first word, of 32 bits as the smallest bitmap has. Others behind it change too: hence the "memory" of each. */
#define __BITS(address) (*(volatile unsigned int *) (address))

static inline void set_bit(long nr, volatile void *address)
{
	asm volatile("lock btsl %1, %0" : "+m" (__BITS(address)) : "r" ((int) nr) : "memory");
}

static inline void clear_bit(long nr, volatile void *address)
{
	asm volatile("lock btrl %1, %0" : "+m" (__BITS(address)) : "r" ((int) nr) : "memory");
}

static inline void change_bit(long nr, volatile void *address)
{
	asm volatile("lock btcl %1, %0" : "+m" (__BITS(address)) : "r" ((int) nr) : "memory");
}

/* These three return what the bit was before. */
static inline int test_and_set_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btsl %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" ((int) nr) : "memory");
	return was;
}

static inline int test_and_clear_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btrl %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" ((int) nr) : "memory");
	return was;
}

static inline int test_and_change_bit(long nr, volatile void *address)
{
	unsigned char was;

	asm volatile("lock btcl %2, %0; setc %1" : "+m" (__BITS(address)), "=qm" (was) : "r" ((int) nr) : "memory");
	return was;
}

static inline int test_bit(long nr, const volatile void *address)
{
	return (((const volatile unsigned int *) address)[nr >> 5] >> (nr & 31)) & 1;
}

#endif
