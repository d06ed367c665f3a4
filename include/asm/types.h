/* Integers of a fixed width, for registers and what programs see. */
#ifndef _ASM_TYPES_H
#define _ASM_TYPES_H

typedef signed char __s8;
typedef unsigned char __u8;
typedef short __s16;
typedef unsigned short __u16;
typedef int __s32;
typedef unsigned int __u32;
typedef long __s64;
typedef unsigned long __u64;

typedef __s8 s8;
typedef __u8 u8;
typedef __s16 s16;
typedef __u16 u16;
typedef __s32 s32;
typedef __u32 u32;
typedef __s64 s64;
typedef __u64 u64;

/* An address as a device puts it on its bus. */
typedef u64 dma_addr_t;

#define BITS_PER_LONG 64

#endif
