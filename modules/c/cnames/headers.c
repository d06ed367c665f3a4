/*
 * headers.c: names that the preprocessor knows, and constants.
 */
#define __NO_VERSION__
#include <linux/config.h>
#include <linux/module.h>
#include <linux/version.h>
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/fcntl.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/ioctl.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/proc_fs.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/tty.h>
#include <linux/types.h>
#include <linux/vmalloc.h>
#include <linux/bootmem.h>
#include <asm/io.h>
#include <asm/pgtable.h>
#include <asm/system.h>
#include <asm/uaccess.h>

#include "check.h"

/* Drivers that serve several versions ask for these with #ifdef, and bring their own if they are missing. */
#if !defined(KERNEL_VERSION) || !defined(module_init) || !defined(module_exit) || !defined(SET_MODULE_OWNER)
#error "a name of modules is no macro"
#endif
#if !defined(GFP_USER) || !defined(VM_READ) || !defined(get_page) || !defined(virt_to_page)
#error "a name of memory is no macro"
#endif
#if !defined(DECLARE_WAIT_QUEUE_HEAD) || !defined(set_current_state) || !defined(MODULE_PARM) || !defined(current)
#error "a name of sleeping is no macro"
#endif

/* And these are not to be there: 2.4 has no MAP_NR, and its min of types would refuse what drivers compare. */
#if defined(min) || defined(max) || defined(MAP_NR) || defined(CONFIG_DEVFS_FS) || defined(CONFIG_MODVERSIONS)
#error "a name is defined that 2.4 has not"
#endif
#if LINUX_VERSION_CODE < KERNEL_VERSION(2, 4, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(2, 5, 0)
#error "this is no 2.4"
#endif

/* A driver may have a function with one of these names, without which our headers have to do. */
static int min(int a, int b)
{
    return a < b ? a : b;
}

static void check_commands(void)
{
    int number = 0;
    unsigned int command = _IOWR('k', 9, number);

    EXPECT(command == 0xc0046b09);
    EXPECT(_IO('k', 0) == 0x6b00 && _IOW('k', 1, number) == 0x40046b01 && _IOR('k', 5, number) == 0x80046b05);
    EXPECT(_IOC_TYPE(command) == 'k' && _IOC_NR(command) == 9 && _IOC_SIZE(command) == sizeof(number));
    EXPECT(_IOC_DIR(command) == (_IOC_READ | _IOC_WRITE) && _IOC_DIR(_IO('k', 0)) == 0);
}

static void check_numbers(void)
{
    kdev_t device = MKDEV(10, 33);

    EXPECT(MAJOR(device) == 10 && MINOR(device) == 33 && sizeof(device) == 2);
    EXPECT(EPERM == 1 && EINTR == 4 && ENXIO == 6 && EAGAIN == 11 && ENOMEM == 12 && EFAULT == 14 && EBUSY == 16);
    EXPECT(ENODEV == 19 && EINVAL == 22 && ENOTTY == 25 && ESPIPE == 29 && ERESTARTSYS == 512);
    EXPECT(O_ACCMODE == 3 && O_WRONLY == 1 && O_NONBLOCK == 04000 && FMODE_READ == 1 && FMODE_WRITE == 2);
    EXPECT((S_IFREG | S_IRUGO) == 0100444 && (S_IFCHR | S_IWUGO) == 0020222);
    EXPECT(POLLIN == 1 && POLLOUT == 4 && POLLRDNORM == 0x40 && POLLWRNORM == 0x100);
    EXPECT(VM_READ == 1 && VM_RESERVED != 0 && NOPAGE_SIGBUS == NULL && NOPAGE_OOM != NULL);
    EXPECT(PAGE_SIZE == 1UL << PAGE_SHIFT && PAGE_SIZE == 4096);
    EXPECT(sizeof(loff_t) == 8 && sizeof(size_t) == 8 && sizeof(ssize_t) == 8 && sizeof(off_t) == 8);
}

static void check_flags(void)
{
    /* Each collection says at least what its part says, and single flags are one bit. */
    EXPECT((GFP_KERNEL & __GFP_DMA) == 0 && (GFP_DMA & __GFP_DMA) != 0);
    EXPECT((GFP_HIGHUSER & ~GFP_USER) == __GFP_HIGHMEM || __GFP_HIGHMEM == 0);
    EXPECT((GFP_NOFS & (__GFP_WAIT | __GFP_IO)) == __GFP_WAIT && GFP_NOFS == GFP_NOIO);
    EXPECT(GFP_ATOMIC != GFP_KERNEL && GFP_BUFFER != GFP_KERNEL && GFP_USER != GFP_KERNEL);
    EXPECT(UTS_RELEASE[0] == '2' && UTS_RELEASE[1] == '.' && UTS_RELEASE[2] == '4');
    EXPECT(min(2, 1L) == 1);
}

void check_headers(void)
{
    check_commands();
    check_numbers();
    check_flags();
}
