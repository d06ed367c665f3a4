/*
 * cmishap: mistakes that drivers in C make, one at a time, to see what the kernel says of them and that it goes on.
 *
 * After `insmod cmishap what=double_kfree` a write to its device makes the mistake; `when=load` makes it at once,
 * `when=unload` at rmmod. Each has a function of its own, by whose name reports tell it. None of them hurts anybody
 * else.
 */
#include <linux/config.h>
#include <linux/module.h>

#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/init.h>
#include <linux/malloc.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/string.h>
#include <linux/timer.h>
#include <linux/vmalloc.h>
#include <asm/io.h>
#include <asm/uaccess.h>

#include "cmishap.h"

static char *what = "nothing";
static char *when = "write";

MODULE_PARM(what, "s");
MODULE_PARM(when, "s");
MODULE_PARM_DESC(what, "the mistake");
MODULE_PARM_DESC(when, "when it is made: write, load or unload");
MODULE_DESCRIPTION("mistakes that drivers in C make");
MODULE_LICENSE("Dual MIT/GPL");

/* Keeps the compiler from knowing what it frees, and from leaving out the end of a function. */
#define HIDE(pointer) __asm__ volatile("" : "+r"(pointer) : : "memory")

MISTAKE nothing(void)
{
}

MISTAKE double_kfree(void)
{
    void *object = kmalloc(100, GFP_KERNEL);

    kfree(object);
    HIDE(object);
    kfree(object);
}

MISTAKE kfree_inside(void)
{
    char *object = kmalloc(100, GFP_KERNEL), *inside = object + 8;

    HIDE(inside);
    kfree(inside);
    kfree(object);
}

MISTAKE kfree_of_vmalloc(void)
{
    void *area = vmalloc(100);

    HIDE(area);
    kfree(area);
    vfree(area);
}

MISTAKE kfree_of_nobodys(void)
{
    void *object = (void *)0x12345678UL;

    HIDE(object);
    kfree(object);
}

MISTAKE wrong_order(void)
{
    unsigned long block = __get_free_pages(GFP_KERNEL, 2);

    free_pages(block, 1);
    free_pages(block, 2);
}

MISTAKE free_inner_page(void)
{
    unsigned long block = __get_free_pages(GFP_KERNEL, 2);

    free_page(block + PAGE_SIZE);
    free_pages(block, 2);
}

MISTAKE double_free_page(void)
{
    unsigned long page = __get_free_page(GFP_KERNEL);

    free_page(page);
    HIDE(page);
    free_page(page);
}

MISTAKE free_page_of_kmalloc(void)
{
    void *object = kmalloc(PAGE_SIZE, GFP_KERNEL);

    free_page((unsigned long)object);
    kfree(object);
}

MISTAKE put_free_page(void)
{
    unsigned long address = __get_free_page(GFP_KERNEL);
    struct page *page = virt_to_page(address);

    free_page(address);
    put_page(page);
}

MISTAKE vfree_of_kmalloc(void)
{
    void *object = kmalloc(100, GFP_KERNEL);

    HIDE(object);
    vfree(object);
    kfree(object);
}

MISTAKE double_vfree(void)
{
    void *area = vmalloc(100);

    vfree(area);
    HIDE(area);
    vfree(area);
}

MISTAKE iounmap_of_vmalloc(void)
{
    void *area = vmalloc(100);

    iounmap(area);
    vfree(area);
}

MISTAKE ioremap_of_memory(void)
{
    void *object = kmalloc(100, GFP_KERNEL);

    if (ioremap(virt_to_phys(object), 100))
        printk("cmishap: memory was mapped as a device's\n");
    kfree(object);
}

MISTAKE live_cache(void)
{
    kmem_cache_t *cache = kmem_cache_create("cmishap", 100, 0, 0, NULL, NULL);
    void *object = kmem_cache_alloc(cache, GFP_KERNEL);

    printk("cmishap: kmem_cache_destroy says %i\n", kmem_cache_destroy(cache));
    kmem_cache_free(cache, object);
    printk("cmishap: kmem_cache_destroy says %i\n", kmem_cache_destroy(cache));
}

MISTAKE double_cache_free(void)
{
    kmem_cache_t *cache = kmem_cache_create("cmishap", 100, 0, 0, NULL, NULL);
    void *object = kmem_cache_alloc(cache, GFP_KERNEL);

    kmem_cache_free(cache, object);
    kmem_cache_free(cache, object);
    kmem_cache_destroy(cache);
}

MISTAKE free_to_other_cache(void)
{
    kmem_cache_t *cache = kmem_cache_create("cmishap", 100, 0, 0, NULL, NULL);
    kmem_cache_t *other = kmem_cache_create("cmishap-other", 100, 0, 0, NULL, NULL);
    void *object = kmem_cache_alloc(cache, GFP_KERNEL);

    kmem_cache_free(other, object);
    kmem_cache_free(cache, object);
    kmem_cache_destroy(other);
    kmem_cache_destroy(cache);
}

MISTAKE sleep_under_lock(void)
{
    static spinlock_t lock = SPIN_LOCK_UNLOCKED;
    void *object;

    spin_lock(&lock);
    object = kmalloc(100, GFP_KERNEL);
    spin_unlock(&lock);
    if (object)
        printk("cmishap: it might have slept under a lock\n");
    kfree(object);
}

MISTAKE vmalloc_under_lock(void)
{
    static spinlock_t lock = SPIN_LOCK_UNLOCKED;
    void *area;

    spin_lock(&lock);
    area = vmalloc(100);
    spin_unlock(&lock);
    if (area)
        printk("cmishap: it might have slept under a lock\n");
    vfree(area);
}

static DECLARE_WAIT_QUEUE_HEAD(queue);
static volatile int is_rung;

void ring(void)
{
    is_rung = 1;
    wake_up_interruptible(&queue);
}

int wait_for_ring(void)
{
    int error = wait_event_interruptible(queue, is_rung);

    is_rung = 0;
    return error;
}

/* A timer's function, which runs in interrupt context. */
MISTAKE kmalloc_in_timer(unsigned long unused)
{
    void *object = kmalloc(100, GFP_KERNEL), *other;

    if (object)
        printk("cmishap: it might have slept in an interrupt\n");
    kfree(object);
    other = kmalloc(100, GFP_ATOMIC);
    printk("cmishap: with GFP_ATOMIC it got %s\n", other ? "some" : "none");
    kfree(other);
    ring();
}

MISTAKE vmalloc_in_timer(unsigned long unused)
{
    void *area = vmalloc(100);

    if (area)
        printk("cmishap: it might have slept in an interrupt\n");
    ring();
}

void have_called(void (*function)(unsigned long))
{
    struct timer_list timer;

    init_timer(&timer);
    timer.function = function;
    timer.expires = jiffies + 1;
    add_timer(&timer);
    if (wait_for_ring())
        del_timer_sync(&timer);
}

MISTAKE sleep_in_timer(void)
{
    have_called(kmalloc_in_timer);
}

MISTAKE area_in_timer(void)
{
    have_called(vmalloc_in_timer);
}

/* As drivers of the time did that had forgotten to look at what kmalloc says. */
MISTAKE null_write(void)
{
    char *object = kmalloc(1 << 20, GFP_KERNEL);

    HIDE(object);
    memset(object, 0, 100);
    HIDE(object);
}

MISTAKE null_call(void)
{
    void (*function)(void) = NULL;

    HIDE(function);
    function();
    HIDE(function);
}

MISTAKE follow_page(void)
{
    void *object = kmalloc(100, GFP_KERNEL);
    volatile unsigned char *page = (unsigned char *)virt_to_page(object);

    kfree(object);
    HIDE(page);
    printk("cmishap: a page's structure begins with %i\n", *page);
}

MISTAKE leak(void)
{
    void *object = kmalloc(100, GFP_KERNEL);

    HIDE(object);
}

static const struct mistake mistakes[] = {
    NAMED(nothing), NAMED(double_kfree), NAMED(kfree_inside), NAMED(kfree_of_vmalloc), NAMED(kfree_of_nobodys),
    NAMED(wrong_order), NAMED(free_inner_page), NAMED(double_free_page), NAMED(free_page_of_kmalloc),
    NAMED(put_free_page), NAMED(vfree_of_kmalloc), NAMED(double_vfree), NAMED(iounmap_of_vmalloc),
    NAMED(ioremap_of_memory), NAMED(live_cache), NAMED(double_cache_free), NAMED(free_to_other_cache),
    NAMED(sleep_under_lock), NAMED(vmalloc_under_lock), NAMED(sleep_in_timer), NAMED(area_in_timer),
    NAMED(null_write), NAMED(null_call), NAMED(follow_page), NAMED(leak), {NULL, NULL},
};

static const struct mistake *one_of(const struct mistake *mistake, const char *name, size_t length)
{
    for (; mistake->name; mistake++)
        if (strlen(mistake->name) == length && strncmp(mistake->name, name, length) == 0)
            return mistake;
    return NULL;
}

static const struct mistake *mistake_called(const char *name, size_t length)
{
    const struct mistake *mistake = one_of(mistakes, name, length);

    return mistake ? mistake : one_of(call_mistakes, name, length);
}

static int major;

/* Makes the mistake that is written, or the parameter's if it is none: `echo double_kfree > /dev/cmishap`. */
static ssize_t cmishap_write(struct file *filp, const char *buf, size_t count, loff_t *f_pos)
{
    const struct mistake *mistake;
    char name[32];
    size_t length = count < sizeof(name) ? count : sizeof(name);

    if (copy_from_user(name, buf, length))
        return -EFAULT;
    if (length > 0 && name[length - 1] == '\n')
        length--;
    mistake = mistake_called(name, length);
    if (!mistake)
        mistake = mistake_called(what, strlen(what));
    mistake->make();
    count += excess;
    excess = 0;
    return count;
}

/* A mistake too: nothing is written, and more is told than there is room for. */
static ssize_t cmishap_read(struct file *filp, char *buf, size_t count, loff_t *f_pos)
{
    return count + 1000;
}

static struct file_operations cmishap_fops = {read: cmishap_read, write: cmishap_write};

static int cmishap_init(void)
{
    const struct mistake *mistake = mistake_called(what, strlen(what));

    if (!mistake)
        return -EINVAL;
    if (strcmp(when, "load") != 0 && strcmp(when, "write") != 0 && strcmp(when, "unload") != 0)
        return -EINVAL;
    SET_MODULE_OWNER(&cmishap_fops);
    major = register_chrdev(0, "cmishap", &cmishap_fops);
    if (major < 0)
        return major;
    if (strcmp(when, "load") == 0)
        mistake->make();
    return 0;
}

static void cmishap_exit(void)
{
    unregister_chrdev(major, "cmishap");
    if (strcmp(when, "unload") == 0)
        mistake_called(what, strlen(what))->make();
}

module_init(cmishap_init);
module_exit(cmishap_exit);
