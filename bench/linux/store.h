/* SPDX-License-Identifier: GPL-2.0 */
/*
 * store - what a scullfam device holds: a chain of items, each with an array of
 * units, and where the units of each family come from.
 */
#define UNITS_PER_FAMILY	4
#define ROUNDS_CAP		64

static unsigned int quantum = 4000;		/* scull, scullc */
static unsigned int qset = 1000;		/* scull */
static unsigned int qset_small = 500;		/* the other three */
static unsigned int order_p;			/* scullp */
static unsigned int order_v = 4;		/* scullv */
static unsigned int cacheflags = SLAB_HWCACHE_ALIGN;
module_param(quantum, uint, 0444);
module_param(qset, uint, 0444);
module_param(qset_small, uint, 0444);
module_param(order_p, uint, 0444);
module_param(order_v, uint, 0444);

struct item {
	struct item *next;
	void **slot;			/* family->nslot pointers */
};

struct family;

struct store {
	struct family *fam;
	struct item *first;
	loff_t bytes;
	struct mutex lock;
	struct cdev cdev;
	/* statistics */
	u64 opened_at, open_ticks;
	u64 nread, nwrite, read_ticks, write_ticks;
};

struct family {
	const char *name;
	const char *procname;
	void *(*get)(struct family *f);
	void (*put)(struct family *f, void *unit);
	bool wipe;			/* zero fresh units */
	bool paged;			/* unit is 2^order pages */
	unsigned int order;
	size_t unit;
	unsigned int nslot;
	struct kmem_cache *cache;
	dev_t devt;
	struct store store[UNITS_PER_FAMILY];
};

static inline u64 tick(void)
{
	u32 lo, hi;

	asm volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

/* ------------------------------------------------- where units come from --- */

static void *heap_get(struct family *f)
{
	return kmalloc(f->unit, GFP_KERNEL);
}
static void heap_put(struct family *f, void *u) { kfree(u); }

static void *cache_get(struct family *f)
{
	return kmem_cache_alloc(f->cache, GFP_KERNEL);
}
static void cache_put(struct family *f, void *u) { kmem_cache_free(f->cache, u); }

static void *page_get(struct family *f)
{
	return (void *)__get_free_pages(GFP_KERNEL, f->order);
}
static void page_put(struct family *f, void *u)
{
	free_pages((unsigned long)u, f->order);
}

static void *virt_get(struct family *f) { return vmalloc(f->unit); }
static void virt_put(struct family *f, void *u) { vfree(u); }

static struct family families[] = {
	{ .name = "scull",  .procname = "scullmem",
	  .get = heap_get,  .put = heap_put },
	{ .name = "scullc", .procname = "scullcmem", .wipe = true,
	  .get = cache_get, .put = cache_put },
	{ .name = "scullp", .procname = "scullpmem", .wipe = true, .paged = true,
	  .get = page_get,  .put = page_put },
	{ .name = "scullv", .procname = "scullvmem", .wipe = true, .paged = true,
	  .get = virt_get,  .put = virt_put },
};
#define for_each_family(f) \
	for (f = families; f < families + ARRAY_SIZE(families); f++)

/* ------------------------------------------------------------- storage --- */

static void store_empty(struct store *s)
{
	struct family *f = s->fam;
	struct item *it = s->first, *next;
	unsigned int i;

	for (; it; it = next) {
		next = it->next;
		if (it->slot)
			for (i = 0; i < f->nslot; i++)
				if (it->slot[i])
					f->put(f, it->slot[i]);
		kfree(it->slot);
		kfree(it);
	}
	s->first = NULL;
	s->bytes = 0;
}

/* the item holding item-number n; grow the chain up to it when asked */
static struct item *store_item(struct store *s, unsigned long n, bool grow)
{
	struct item **link = &s->first;

	for (;;) {
		if (!*link) {
			if (!grow)
				return NULL;
			*link = kzalloc(sizeof(**link), GFP_KERNEL);
			if (!*link)
				return NULL;
		}
		if (!n--)
			return *link;
		link = &(*link)->next;
	}
}

/* address of the unit holding byte pos, or NULL; *room: bytes to unit's end */
static void *store_unit(struct store *s, loff_t pos, bool grow, size_t *room,
			int *err)
{
	struct family *f = s->fam;
	u64 index = pos;
	u32 within, slot;
	struct item *it;

	within = do_div(index, f->unit);
	slot = do_div(index, f->nslot);
	*room = f->unit - within;
	*err = -ENOMEM;
	it = store_item(s, index, grow);
	if (!it)
		return NULL;
	if (!it->slot) {
		if (!grow)
			return NULL;
		it->slot = kcalloc(f->nslot, sizeof(void *), GFP_KERNEL);
		if (!it->slot)
			return NULL;
	}
	if (!it->slot[slot]) {
		void *u;

		if (!grow)
			return NULL;
		u = f->get(f);
		if (!u)
			return NULL;
		if (f->wipe)
			memset(u, 0, f->unit);
		it->slot[slot] = u;
	}
	return it->slot[slot] + within;
}

/* user is NULL for a transfer to or from the kernel buffer kern */
static ssize_t store_read(struct store *s, char __user *user, void *kern,
			  size_t len, loff_t *pos)
{
	size_t room;
	ssize_t ret = 0;
	void *p;
	int err;

	if (mutex_lock_interruptible(&s->lock))
		return -ERESTARTSYS;
	if (*pos >= s->bytes)
		goto out;
	if (len > s->bytes - *pos)
		len = s->bytes - *pos;
	p = store_unit(s, *pos, false, &room, &err);
	if (!p)
		goto out;		/* a hole reads as end of file */
	if (len > room)
		len = room;
	if (!user) {
		memcpy(kern, p, len);
	} else if (copy_to_user(user, p, len)) {
		ret = -EFAULT;
		goto out;
	}
	*pos += len;
	ret = len;
out:
	mutex_unlock(&s->lock);
	return ret;
}

static ssize_t store_write(struct store *s, const char __user *user,
			   const void *kern, size_t len, loff_t *pos)
{
	size_t room;
	ssize_t ret;
	void *p;
	int err;

	if (mutex_lock_interruptible(&s->lock))
		return -ERESTARTSYS;
	p = store_unit(s, *pos, true, &room, &err);
	if (!p) {
		ret = err;
		goto out;
	}
	if (len > room)
		len = room;
	if (!user) {
		memcpy(p, kern, len);
	} else if (copy_from_user(p, user, len)) {
		ret = -EFAULT;
		goto out;
	}
	*pos += len;
	if (s->bytes < *pos)
		s->bytes = *pos;
	ret = len;
out:
	mutex_unlock(&s->lock);
	return ret;
}
