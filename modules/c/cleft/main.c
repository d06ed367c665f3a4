/*
 * cleft: leaves behind, when it goes or fails to begin, all that a driver may forget, and takes locks the wrong way.
 *
 * Whatever it left would lead into memory that is gone. `fail=1` has its init fail after all was registered.
 */
#include <linux/module.h>
#include <linux/interrupt.h>
#include <linux/malloc.h>
#include <linux/fs.h>
#include <linux/proc_fs.h>

static int fail;
MODULE_PARM(fail, "i");
MODULE_PARM_DESC(fail, "whether its init fails");
MODULE_DESCRIPTION("leaves everything behind");
MODULE_LICENSE("Dual MIT/GPL");

static struct timer_list timer;
static struct tq_struct task;
static DECLARE_TASK_QUEUE(queue);
static spinlock_t lock = SPIN_LOCK_UNLOCKED;
static DECLARE_MUTEX(semaphore);

static void late(unsigned long unused)
{
	printk("cleft: called after its end\n");
}

static void later(void *unused)
{
	late(0);
}

static void handle(int irq, void *device, struct pt_regs *registers)
{
}

static int tell(char *page, char **start, off_t offset, int count, int *eof, void *data)
{
	return sprintf(page, "cleft\n");
}

static void make(void *object, kmem_cache_t *cache, unsigned long flags)
{
}

static struct file_operations operations = { owner: NULL };

static void lock_wrongly(void)
{
	spin_lock(&lock);
	spin_lock(&lock);
	spin_unlock(&lock);
	printk("cleft: down_interruptible says %i\n", down_interruptible(&semaphore));
	spin_unlock(&lock);
	spin_unlock(&lock);
	printk("cleft: the semaphore has %i\n", semaphore.count);
}

static int cleft_begin(void)
{
	if (register_chrdev(241, "cleft", &operations) || request_irq(5, handle, 0, "cleft", NULL))
		return -EBUSY;
	create_proc_read_entry("cleft", 0, NULL, tell, NULL);
	timer.function = late;
	timer.expires = jiffies + 10 * HZ;
	add_timer(&timer);
	task.routine = later;
	queue_task(&task, &queue);
	kmem_cache_create("cleft", 64, 0, 0, make, NULL);
	lock_wrongly();
	return fail ? -EIO : 0;
}

static void cleft_end(void)
{
	mod_timer(&timer, jiffies + 2);
}

module_init(cleft_begin);
module_exit(cleft_end);
