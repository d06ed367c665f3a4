// SPDX-License-Identifier: GPL-2.0
/*
 * membench - cost of the kernel's memory allocation entry points.
 *
 * Loads, measures, prints a table on the console and stays loaded:
 *
 *   bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS
 *
 * The four numbers are TSC ticks per operation (two decimals).  A "pair" is
 * one allocate plus one free and counts as one operation; batch tests report
 * the allocating and the freeing half on two lines, each per object.
 * Interrupts stay enabled in thread context, so MEAN and MAX contain timer
 * ticks, MEDIAN mostly does not, MIN does not.
 *
 * Under "qemu -icount shift=0" the TSC advances by one per guest instruction,
 * so the same table then reads "instructions per operation".
 */
#define pr_fmt(fmt) fmt
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <linux/slab.h>
#include <linux/mm.h>
#include <linux/gfp.h>
#include <linux/vmalloc.h>
#include <linux/io.h>
#include <linux/sort.h>
#include <linux/kthread.h>
#include <linux/completion.h>
#include <linux/irq_work.h>
#include <linux/hrtimer.h>
#include <linux/pci.h>
#include <linux/delay.h>
#include <linux/smp.h>

static unsigned int scale = 100;	/* percent of the default op counts */
module_param(scale, uint, 0444);
static unsigned int maxrounds = 21;
module_param(maxrounds, uint, 0444);
static char *only = "";			/* run only names with this prefix */
module_param(only, charp, 0444);

#include "probes.h"

/* ---------------------------------------------------- where it is run --- */

enum where { IN_THREAD, IN_IRQWORK, IN_HRTIMER };

static struct {
	probe_fn fn;
	const struct job *j;
	unsigned int n;
	u64 t[2];
	int err;
	bool hard;
	struct completion done;
} shot;

static void shoot(void)
{
	shot.hard = in_hardirq() && irqs_disabled();
	shot.err = shot.fn(shot.j, shot.n, shot.t);
	complete(&shot.done);
}

static void irqwork_shoot(struct irq_work *w) { shoot(); }
static struct irq_work iwork = IRQ_WORK_INIT_HARD(irqwork_shoot);

static enum hrtimer_restart hrtimer_shoot(struct hrtimer *t)
{
	shoot();
	return HRTIMER_NORESTART;
}
static struct hrtimer htimer;

static int once(enum where w, probe_fn fn, const struct job *j,
		unsigned int n, u64 t[2])
{
	if (w == IN_THREAD)
		return fn(j, n, t);
	shot.fn = fn;
	shot.j = j;
	shot.n = n;
	shot.hard = false;
	reinit_completion(&shot.done);
	if (w == IN_IRQWORK)
		irq_work_queue(&iwork);
	else
		hrtimer_start(&htimer, ns_to_ktime(200000), HRTIMER_MODE_REL_HARD);
	wait_for_completion(&shot.done);
	if (!shot.hard)
		pr_warn("membench: not in hard interrupt context\n");
	t[0] = shot.t[0];
	t[1] = shot.t[1];
	return shot.err;
}

/* ---------------------------------------------------------- statistics --- */

static int cmp64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static void report(const char *name, const char *suffix, u64 *v,
		   unsigned int rounds, unsigned int ops)
{
	u64 sum = 0, med, mean, lo, hi;
	unsigned int i;

	for (i = 0; i < rounds; i++)
		sum += v[i];
	sort(v, rounds, sizeof(*v), cmp64, NULL);
	med = v[rounds / 2] * 100 / ops;
	lo = v[0] * 100 / ops;
	hi = v[rounds - 1] * 100 / ops;
	mean = sum * 100 / ((u64)ops * rounds);
#define FIX(x)	(x) / 100, (x) % 100
	pr_info("bench %s%s %llu.%02llu %llu.%02llu %llu.%02llu %llu.%02llu %u %u\n",
		name, suffix, FIX(med), FIX(mean), FIX(lo), FIX(hi), ops, rounds);
}

static u64 va[ROUNDS_CAP], vb[ROUNDS_CAP];

static void measure(const char *name, enum where w, probe_fn fn,
		    const struct job *j, unsigned int n, unsigned int rounds)
{
	unsigned int i, ops;
	u64 t[2];
	int err = 0;

	if (*only && strncmp(name, only, strlen(only)))
		return;
	n = max(1u, n * scale / 100);
	rounds = min3(rounds, maxrounds, (unsigned int)ROUNDS_CAP);
	if (j->batch)
		reshuffle(j->batch);
	t[1] = 0;
	err = once(w, fn, j, n, t);		/* warm up */
	for (i = 0; i < rounds && !err; i++) {
		err = once(w, fn, j, n, t);
		va[i] = t[0];
		vb[i] = t[1];
		cond_resched();
	}
	if (err) {
		pr_info("bench %s failed %d\n", name, err);
		return;
	}
	ops = j->batch ? n * j->batch : n;
	if (!j->batch) {
		report(name, "", va, rounds, ops);
		return;
	}
	report(name, "_alloc", va, rounds, ops);
	report(name, "_free", vb, rounds, ops);
}

/* ------------------------------------------------------------ the list --- */

static char nm[96];
#define NAME(...)	({ snprintf(nm, sizeof(nm), __VA_ARGS__); nm; })

static phys_addr_t vga_bar(void)
{
	struct pci_dev *d = pci_get_class(PCI_CLASS_DISPLAY_VGA << 8, NULL);
	phys_addr_t a = 0;

	if (d) {
		if (pci_resource_len(d, 0) >= SZ_2M)
			a = pci_resource_start(d, 0);
		pci_dev_put(d);
	}
	return a;
}

static void everything(void)
{
	static const unsigned int batches[] = { 256, 1024 };
	static const size_t bsizes[] = { 64, 256, 1024, 4000 };
	static const unsigned int vpages[] = { 1, 4, 16, 64, 256, 1024 };
	static const unsigned int vops[] = { 2000, 1000, 400, 100, 24, 8 };
	struct kmem_cache *c4000, *c64;
	phys_addr_t vga = vga_bar();
	unsigned int i, k, h;
	struct job j = {};
	size_t s;

	/* floors */
	measure("floor_loop", IN_THREAD, p_empty, &j, 10000, 21);
	measure("floor_rdtsc", IN_THREAD, p_tick, &j, 10000, 21);
	j.a = (void *)__get_free_pages(GFP_KERNEL, 5);
	j.b = (void *)__get_free_pages(GFP_KERNEL, 5);
	if (j.a && j.b) {
		for (s = 64; s <= 65536; s *= 4) {
			j.size = s;
			measure(NAME("floor_memset_%zu", s), IN_THREAD, p_memset,
				&j, s > 4096 ? 200 : 2000, 11);
			measure(NAME("floor_memcpy_%zu", s), IN_THREAD, p_memcpy,
				&j, s > 4096 ? 200 : 2000, 11);
		}
	}
	free_pages((unsigned long)j.a, 5);
	free_pages((unsigned long)j.b, 5);

	/* kmalloc + kfree */
	for (s = 8; s <= 8192; s *= 2) {
		j = (struct job){ .size = s, .gfp = GFP_KERNEL };
		measure(NAME("kmalloc_kernel_%zu", s), IN_THREAD, p_kmalloc,
			&j, 10000, 21);
		j.gfp = GFP_ATOMIC;
		measure(NAME("kmalloc_atomic_%zu", s), IN_THREAD, p_kmalloc,
			&j, 10000, 21);
	}
	for (s = 16384; s <= 131072; s *= 8) {
		j = (struct job){ .size = s, .gfp = GFP_KERNEL };
		measure(NAME("kmalloc_kernel_%zu", s), IN_THREAD, p_kmalloc,
			&j, 500, 21);
	}
	j = (struct job){ .size = 4000, .gfp = GFP_KERNEL };
	measure("kmalloc_kernel_4000", IN_THREAD, p_kmalloc, &j, 10000, 21);
	measure("kmalloc_const_64", IN_THREAD, p_kmalloc_c64, &j, 10000, 21);
	measure("kmalloc_const_4000", IN_THREAD, p_kmalloc_c4000, &j, 10000, 21);
	measure("kzalloc_kernel_4000", IN_THREAD, p_kzalloc, &j, 10000, 21);

	/* kmem_cache */
	c4000 = kmem_cache_create("membench4000", 4000, 0, SLAB_HWCACHE_ALIGN,
				  NULL);
	c64 = kmem_cache_create("membench64", 64, 0, SLAB_HWCACHE_ALIGN, NULL);
	if (!c4000 || !c64)
		goto out;
	j = (struct job){ .cache = c64, .gfp = GFP_KERNEL };
	measure("kmem_cache_64", IN_THREAD, p_cache, &j, 10000, 21);
	j.gfp = GFP_ATOMIC;
	measure("kmem_cache_atomic_64", IN_THREAD, p_cache, &j, 10000, 21);
	j = (struct job){ .cache = c4000, .gfp = GFP_KERNEL };
	measure("kmem_cache_4000", IN_THREAD, p_cache, &j, 10000, 21);
	j.gfp = GFP_ATOMIC;
	measure("kmem_cache_atomic_4000", IN_THREAD, p_cache, &j, 10000, 21);
	j = (struct job){ .size = 200 };
	measure("kmem_cache_create_destroy", IN_THREAD, p_cachecreate, &j, 10, 5);

	/* batches */
	for (k = 0; k < ARRAY_SIZE(batches); k++)
		for (i = 0; i < ARRAY_SIZE(bsizes); i++)
			for (h = FIFO; h <= SHUFFLED; h++) {
				j = (struct job){ .size = bsizes[i],
					.gfp = GFP_KERNEL, .batch = batches[k],
					.how = h };
				measure(NAME("kmalloc_batch%u_%zu_%s", batches[k],
					bsizes[i], freeorder_name[h]),
					IN_THREAD, b_kmalloc, &j, 4, 11);
			}
	for (k = 0; k < ARRAY_SIZE(batches); k++)
		for (i = 0; i < 2; i++)
			for (h = FIFO; h <= SHUFFLED; h++) {
				j = (struct job){ .cache = i ? c4000 : c64,
					.gfp = GFP_KERNEL, .batch = batches[k],
					.how = h };
				measure(NAME("kmem_cache_batch%u_%u_%s", batches[k],
					i ? 4000 : 64, freeorder_name[h]),
					IN_THREAD, b_cache, &j, 4, 11);
			}

	/* pages */
	for (i = 0; i <= 9; i++) {
		j = (struct job){ .gfp = GFP_KERNEL, .order = i };
		measure(NAME("alloc_pages_order%u", i), IN_THREAD, p_pages, &j,
			i <= 3 ? 4000 : 4000 >> (i - 2), 15);
	}
	j = (struct job){ .gfp = GFP_ATOMIC };
	measure("alloc_pages_atomic_order0", IN_THREAD, p_pages, &j, 4000, 15);
	j = (struct job){ .gfp = GFP_KERNEL };
	measure("get_free_pages_order0", IN_THREAD, p_gfp, &j, 4000, 15);
	measure("get_zeroed_page", IN_THREAD, p_zeroed, &j, 4000, 15);
	for (h = FIFO; h <= SHUFFLED; h++) {
		j = (struct job){ .gfp = GFP_KERNEL, .batch = 1024, .how = h };
		measure(NAME("alloc_pages_batch1024_order0_%s", freeorder_name[h]),
			IN_THREAD, b_pages, &j, 4, 11);
	}
	for (h = FIFO; h <= SHUFFLED; h++) {
		j = (struct job){ .gfp = GFP_KERNEL, .batch = 256, .how = h,
			.order = 4 };
		measure(NAME("alloc_pages_batch256_order4_%s", freeorder_name[h]),
			IN_THREAD, b_pages, &j, 1, 7);
	}

	/* vmalloc */
	for (i = 0; i < ARRAY_SIZE(vpages); i++) {
		j = (struct job){ .size = (size_t)vpages[i] << PAGE_SHIFT };
		measure(NAME("vmalloc_%upages", vpages[i]), IN_THREAD, p_vmalloc,
			&j, vops[i], 11);
	}
	j = (struct job){ .size = 16 << PAGE_SHIFT, .batch = 256, .how = FIFO };
	measure("vmalloc_batch256_16pages_fifo", IN_THREAD, b_vmalloc, &j, 1, 7);

	/* ioremap */
	j = (struct job){ .phys = 0xfed00000, .size = SZ_4K };
	measure("ioremap_4K_hpet", IN_THREAD, p_ioremap, &j, 500, 11);
	if (vga) {
		j = (struct job){ .phys = vga, .size = SZ_4K };
		measure("ioremap_4K_vga", IN_THREAD, p_ioremap, &j, 500, 11);
		j.size = SZ_2M;
		measure("ioremap_2M_vga", IN_THREAD, p_ioremap, &j, 500, 11);
		j.size = SZ_64K;
		measure("ioremap_64K_vga", IN_THREAD, p_ioremap, &j, 500, 11);
	}

	/* hard interrupt context */
	for (s = 32; s <= 4096; s *= 2) {
		j = (struct job){ .size = s, .gfp = GFP_ATOMIC };
		measure(NAME("irqwork_kmalloc_atomic_%zu", s), IN_IRQWORK,
			p_kmalloc, &j, 1000, 21);
		measure(NAME("hrtimer_kmalloc_atomic_%zu", s), IN_HRTIMER,
			p_kmalloc, &j, 1000, 21);
	}
	j = (struct job){ .gfp = GFP_ATOMIC };
	measure("irqwork_alloc_pages_order0", IN_IRQWORK, p_pages, &j, 1000, 15);
	j = (struct job){ .cache = c4000, .gfp = GFP_ATOMIC };
	measure("irqwork_kmem_cache_4000", IN_IRQWORK, p_cache, &j, 1000, 15);
	j = (struct job){ .size = 256, .gfp = GFP_ATOMIC, .batch = 256,
		.how = FIFO };
	measure("irqwork_kmalloc_batch256_256_fifo", IN_IRQWORK, b_kmalloc, &j,
		1, 15);
out:
	kmem_cache_destroy(c4000);
	kmem_cache_destroy(c64);
}

static DECLARE_COMPLETION(finished);

static int bench_thread(void *unused)
{
	everything();
	complete(&finished);
	return 0;
}

static int __init membench_init(void)
{
	struct task_struct *t;
	struct job j;

	held = kvmalloc_array(BATCH_CAP, sizeof(*held), GFP_KERNEL);
	if (!held)
		return -ENOMEM;
	init_completion(&shot.done);
	hrtimer_init(&htimer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_HARD);
	htimer.function = hrtimer_shoot;

	pr_info("membench begin tsc_khz=%u cpus=%u scale=%u\n", tsc_khz,
		num_online_cpus(), scale);
	t = kthread_create(bench_thread, NULL, "membench");
	if (!IS_ERR(t)) {
		kthread_bind(t, 0);
		wake_up_process(t);
		wait_for_completion(&finished);
	}

	/* the same thing from the insmod process, for comparison */
	j = (struct job){ .size = 64, .gfp = GFP_KERNEL };
	measure("process_kmalloc_kernel_64", IN_THREAD, p_kmalloc, &j, 10000, 21);
	j.size = 4096;
	measure("process_kmalloc_kernel_4096", IN_THREAD, p_kmalloc, &j, 10000, 21);
	pr_info("membench end\n");
	return 0;
}

static void __exit membench_exit(void)
{
	hrtimer_cancel(&htimer);
	irq_work_sync(&iwork);
	kvfree(held);
}

module_init(membench_init);
module_exit(membench_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("cycles per allocation, for every allocator");
