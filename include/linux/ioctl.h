/*
 * Numbers of ioctl commands: a letter for the driver, a number, how many bytes the argument points to, and whether the
 * program reads or writes those. The last argument of _IOR and its kin is the thing whose size counts, or its type.
 */
#ifndef _LINUX_IOCTL_H
#define _LINUX_IOCTL_H

#define _IOC_NRBITS 8
#define _IOC_TYPEBITS 8
#define _IOC_SIZEBITS 14
#define _IOC_DIRBITS 2

#define _IOC_NRSHIFT 0
#define _IOC_TYPESHIFT (_IOC_NRSHIFT + _IOC_NRBITS)
#define _IOC_SIZESHIFT (_IOC_TYPESHIFT + _IOC_TYPEBITS)
#define _IOC_DIRSHIFT (_IOC_SIZESHIFT + _IOC_SIZEBITS)

#define _IOC_NONE 0U
#define _IOC_WRITE 1U
#define _IOC_READ 2U

#define _IOC(direction, type, nr, size) \
	(((direction) << _IOC_DIRSHIFT) | ((type) << _IOC_TYPESHIFT) | \
	 ((nr) << _IOC_NRSHIFT) | ((size) << _IOC_SIZESHIFT))

#define _IO(type, nr) _IOC(_IOC_NONE, (type), (nr), 0)
#define _IOR(type, nr, argument) _IOC(_IOC_READ, (type), (nr), sizeof(argument))
#define _IOW(type, nr, argument) _IOC(_IOC_WRITE, (type), (nr), sizeof(argument))
#define _IOWR(type, nr, argument) _IOC(_IOC_READ | _IOC_WRITE, (type), (nr), sizeof(argument))

#define __IOC_FIELD(command, field) (((command) >> _IOC_##field##SHIFT) & ((1U << _IOC_##field##BITS) - 1))
#define _IOC_DIR(command) __IOC_FIELD(command, DIR)
#define _IOC_TYPE(command) __IOC_FIELD(command, TYPE)
#define _IOC_NR(command) __IOC_FIELD(command, NR)
#define _IOC_SIZE(command) __IOC_FIELD(command, SIZE)

#endif
