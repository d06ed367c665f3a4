/* SPDX-License-Identifier: GPL-2.0 */
/*
 * copy - copies one scullfam device to another inside the kernel, and times it.
 */
/* ------------------------------------------------------ in-kernel copying --- */

static int cmp64(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

static int kernel_fill(struct store *s, size_t bytes, void *buf, size_t block)
{
	loff_t pos = 0;
	size_t i;

	for (i = 0; i < block; i++)
		((u8 *)buf)[i] = i * 7 + 3;
	mutex_lock(&s->lock);
	store_empty(s);
	mutex_unlock(&s->lock);
	while (pos < bytes) {
		ssize_t n = store_write(s, NULL, buf,
					min_t(size_t, block, bytes - pos), &pos);

		if (n < 0)
			return n;
		cond_resched();
	}
	return 0;
}

/* copy until end of file */
static int kernel_copy(struct store *from, struct store *to, void *buf,
		       size_t block)
{
	loff_t rp = 0, wp = 0;
	ssize_t n, w, done;

	while ((n = store_read(from, NULL, buf, block, &rp)) > 0) {
		for (done = 0; done < n; done += w) {
			w = store_write(to, NULL, buf + done, n - done, &wp);
			if (w < 0)
				return w;
		}
	}
	return n;
}

static int kernel_drain(struct store *from, void *buf, size_t block)
{
	loff_t pos = 0;
	ssize_t n;

	while ((n = store_read(from, NULL, buf, block, &pos)) > 0)
		;
	return n;
}

static u64 tv[4][ROUNDS_CAP];

static u64 mean(const u64 *values, unsigned int count)
{
	u64 sum = 0;
	unsigned int i;

	for (i = 0; i < count; i++)
		sum += values[i];
	return div_u64(sum, count);
}

static int kernel_bench(struct family *f, size_t bytes, size_t block,
			unsigned int rounds)
{
	static const char * const phase[] = { "fresh", "rewrite", "read", "trim" };
	struct store *a = &f->store[0], *b = &f->store[1];
	void *buf = kvmalloc(block, GFP_KERNEL);
	unsigned int r, i;
	u64 t0;
	int err;

	if (!buf)
		return -ENOMEM;
	err = kernel_fill(a, bytes, buf, block);
	mutex_lock(&b->lock);
	store_empty(b);
	mutex_unlock(&b->lock);
	for (r = 0; r < rounds && !err; r++) {
		t0 = tick();
		err = kernel_copy(a, b, buf, block);	/* allocates */
		tv[0][r] = tick() - t0;
		cond_resched();
		if (err)
			break;
		t0 = tick();
		err = kernel_copy(a, b, buf, block);	/* in place */
		tv[1][r] = tick() - t0;
		cond_resched();
		if (err)
			break;
		t0 = tick();
		err = kernel_drain(a, buf, block);
		tv[2][r] = tick() - t0;
		cond_resched();
		if (err || b->bytes != bytes)
			break;
		mutex_lock(&b->lock);
		t0 = tick();
		store_empty(b);
		tv[3][r] = tick() - t0;
		mutex_unlock(&b->lock);
		cond_resched();
	}
	kvfree(buf);
	if (r < rounds) {
		pr_info("kcopy %s failed %d\n", f->name, err);
		return err ? err : -EIO;
	}
	for (i = 0; i < 4; i++) {
		sort(tv[i], rounds, sizeof(u64), cmp64, NULL);
		pr_info("bench kcopy_%s_%s_%zuk %llu.00 %llu.00 %llu.00 %llu.00 1 %u\n",
			f->name, phase[i], block >> 10, tv[i][rounds / 2],
			mean(tv[i], rounds), tv[i][0], tv[i][rounds - 1], rounds);
	}
	return 0;
}

static ssize_t bench_write(struct file *file, const char __user *ubuf,
			   size_t len, loff_t *pos)
{
	char line[80], name[16];
	unsigned long bytes, block;
	unsigned int rounds;
	struct family *f;
	int err;

	if (len >= sizeof(line))
		return -EINVAL;
	if (copy_from_user(line, ubuf, len))
		return -EFAULT;
	line[len] = 0;
	if (sscanf(line, "%15s %lu %lu %u", name, &bytes, &block, &rounds) != 4 ||
	    !block || !rounds || rounds > ROUNDS_CAP)
		return -EINVAL;
	for_each_family(f)
		if (!strcmp(f->name, name)) {
			err = kernel_bench(f, bytes, block, rounds);
			return err ? err : len;
		}
	return -ENOENT;
}

static const struct proc_ops bench_pops = {
	.proc_write = bench_write,
};
