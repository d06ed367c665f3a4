/* The names of basic types: sizes, numbers of users and devices, integers of fixed width. */
#ifndef _LINUX_TYPES_H
#define _LINUX_TYPES_H

#include <asm/types.h>

#ifndef NULL
#define NULL ((void *) 0)
#endif

typedef __SIZE_TYPE__ size_t;
typedef long ssize_t;
typedef long off_t;
typedef long long loff_t;
typedef long time_t;
typedef long clock_t;

typedef unsigned int mode_t;
typedef unsigned short umode_t;
typedef unsigned short nlink_t;
typedef unsigned long ino_t;
typedef int pid_t;
typedef unsigned int uid_t;
typedef unsigned int gid_t;
typedef unsigned short dev_t;
typedef char *caddr_t;

/* The number of a device inside of the kernel: see linux/kdev_t.h. */
typedef unsigned short kdev_t;

typedef unsigned char unchar;
typedef unsigned short ushort;
typedef unsigned int uint;
typedef unsigned long ulong;
typedef u8 uint8_t;
typedef u16 uint16_t;
typedef u32 uint32_t;
typedef u64 uint64_t;

#endif
