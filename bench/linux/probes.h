/* SPDX-License-Identifier: GPL-2.0 */
/*
 * probes - the loops that membench times.
 *
 * A probe performs n operations and leaves the elapsed ticks in t[0] (and, for
 * the two-phase probes, in t[1]).  It returns 0, or -ENOMEM when it gave up.
 */
#define ROUNDS_CAP	64
#define BATCH_CAP	1024

static inline u64 tick(void)
{
	u32 lo, hi;

	asm volatile("lfence\n\trdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

/* keeps a pointer alive, costs nothing */
#define KEEP(p)	asm volatile("" : : "r"(p) : "memory")

enum freeorder { FIFO, LIFO, SHUFFLED };
static const char * const freeorder_name[] = { "fifo", "lifo", "rand" };

struct job {
	size_t size;
	gfp_t gfp;
	unsigned int order;
	unsigned int batch;
	enum freeorder how;
	struct kmem_cache *cache;
	phys_addr_t phys;
	void *a, *b;
};

typedef int (*probe_fn)(const struct job *j, unsigned int n, u64 t[2]);

static void **held;			/* BATCH_CAP live objects */
static u16 shuffle[BATCH_CAP];

/* ------------------------------------------------------------- probes --- */

#define PAIR_PROBE(fname, ALLOC, RELEASE)				\
static noinline int fname(const struct job *j, unsigned int n, u64 t[2]) \
{									\
	u64 t0 = tick();						\
	while (n--) {							\
		void *p = (ALLOC);					\
		if (unlikely(!p))					\
			return -ENOMEM;					\
		KEEP(p);						\
		RELEASE;						\
	}								\
	t[0] = tick() - t0;						\
	return 0;							\
}

PAIR_PROBE(p_kmalloc, kmalloc(j->size, j->gfp), kfree(p))
PAIR_PROBE(p_kzalloc, kzalloc(j->size, j->gfp), kfree(p))
PAIR_PROBE(p_kmalloc_c64, kmalloc(64, GFP_KERNEL), kfree(p))
PAIR_PROBE(p_kmalloc_c4000, kmalloc(4000, GFP_KERNEL), kfree(p))
PAIR_PROBE(p_cache, kmem_cache_alloc(j->cache, j->gfp),
	   kmem_cache_free(j->cache, p))
PAIR_PROBE(p_pages, alloc_pages(j->gfp, j->order),
	   __free_pages((struct page *)p, j->order))
PAIR_PROBE(p_gfp, (void *)__get_free_pages(j->gfp, j->order),
	   free_pages((unsigned long)p, j->order))
PAIR_PROBE(p_zeroed, (void *)get_zeroed_page(j->gfp),
	   free_page((unsigned long)p))
PAIR_PROBE(p_vmalloc, vmalloc(j->size), vfree(p))
PAIR_PROBE(p_ioremap, (void __force *)ioremap(j->phys, j->size),
	   iounmap((void __iomem *)p))

static noinline int p_empty(const struct job *j, unsigned int n, u64 t[2])
{
	u64 t0 = tick();

	while (n--)
		KEEP(j);
	t[0] = tick() - t0;
	return 0;
}

static noinline int p_tick(const struct job *j, unsigned int n, u64 t[2])
{
	u64 t0 = tick();

	while (n--)
		tick();
	t[0] = tick() - t0;
	return 0;
}

static noinline int p_memset(const struct job *j, unsigned int n, u64 t[2])
{
	u64 t0 = tick();

	while (n--) {
		memset(j->a, 0, j->size);
		KEEP(j->a);
	}
	t[0] = tick() - t0;
	return 0;
}

static noinline int p_memcpy(const struct job *j, unsigned int n, u64 t[2])
{
	u64 t0 = tick();

	while (n--) {
		memcpy(j->a, j->b, j->size);
		KEEP(j->a);
	}
	t[0] = tick() - t0;
	return 0;
}

static noinline int p_cachecreate(const struct job *j, unsigned int n, u64 t[2])
{
	u64 t0 = tick();

	while (n--) {
		struct kmem_cache *c = kmem_cache_create("membench_tmp",
				j->size, 0, SLAB_HWCACHE_ALIGN, NULL);
		if (!c)
			return -ENOMEM;
		kmem_cache_destroy(c);
	}
	t[0] = tick() - t0;
	return 0;
}

/*
 * Allocate j->batch objects, free them all in some order; n counts batches.
 * Ticks are summed over the batches, so divide by n * batch.
 */
#define BATCH_PROBE(fname, ALLOC, RELEASE)				\
static noinline int fname(const struct job *j, unsigned int n, u64 t[2]) \
{									\
	unsigned int i, want = j->batch;				\
	u64 t0, t1, t2;							\
									\
	t[0] = t[1] = 0;						\
	while (n--) {							\
		t0 = tick();						\
		for (i = 0; i < want; i++) {				\
			void *p = (ALLOC);				\
			if (unlikely(!p)) {				\
				want = i;				\
				break;					\
			}						\
			held[i] = p;					\
		}							\
		t1 = tick();						\
		if (j->how == FIFO) {					\
			for (i = 0; i < want; i++) {			\
				void *p = held[i];			\
				RELEASE;				\
			}						\
		} else if (j->how == LIFO) {				\
			for (i = want; i-- > 0; ) {			\
				void *p = held[i];			\
				RELEASE;				\
			}						\
		} else {						\
			for (i = 0; i < j->batch; i++) {		\
				void *p = held[shuffle[i]];		\
				if (shuffle[i] >= want)			\
					continue;			\
				RELEASE;				\
			}						\
		}							\
		t2 = tick();						\
		if (want != j->batch)					\
			return -ENOMEM;					\
		t[0] += t1 - t0;					\
		t[1] += t2 - t1;					\
	}								\
	return 0;							\
}

BATCH_PROBE(b_kmalloc, kmalloc(j->size, j->gfp), kfree(p))
BATCH_PROBE(b_cache, kmem_cache_alloc(j->cache, j->gfp),
	    kmem_cache_free(j->cache, p))
BATCH_PROBE(b_pages, alloc_pages(j->gfp, j->order),
	    __free_pages((struct page *)p, j->order))
BATCH_PROBE(b_vmalloc, vmalloc(j->size), vfree(p))

/* random permutation of 0..n-1, same every time */
static void reshuffle(unsigned int n)
{
	u32 x = 2463534242u;
	unsigned int i;

	for (i = 0; i < n; i++)
		shuffle[i] = i;
	for (i = n - 1; i > 0; i--) {
		unsigned int k;

		x ^= x << 13;
		x ^= x >> 17;
		x ^= x << 5;
		k = x % (i + 1);
		swap(shuffle[i], shuffle[k]);
	}
}
