// SPDX-License-Identifier: GPL-2.0
/*
 * ramdisk - /dev/ram0, a disk in memory that mem= hides from the kernel.
 *
 * It answers at once: what a page costs on its way there and back is a copy,
 * and the kernel's work.  When it is loaded it also measures how long a block
 * takes that is cached already, and prints, as membench does,
 *
 *   bench NAME MEDIAN MEAN MIN MAX OPS ROUNDS
 */
#define pr_fmt(fmt) fmt
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/init.h>
#include <linux/io.h>
#include <linux/blkdev.h>
#include <linux/bio.h>
#include <linux/bvec.h>
#include <linux/buffer_head.h>
#include <linux/sort.h>

static unsigned long start;		/* where the memory begins, in MiB */
module_param(start, ulong, 0444);
static unsigned long mib;
module_param(mib, ulong, 0444);

enum { BLOCK = 4096, BLOCKS = 256, ROUNDS = 21 };

static struct gendisk *disk;
static u8 *memory;
static int major;

static void ramdisk_submit(struct bio *bio)
{
	u8 *at = memory + (bio->bi_iter.bi_sector << SECTOR_SHIFT);
	struct bvec_iter iter;
	struct bio_vec piece;

	bio_for_each_segment(piece, bio, iter) {
		if (bio_data_dir(bio) == READ)
			memcpy_to_bvec(&piece, at);
		else
			memcpy_from_bvec(at, &piece);
		at += piece.bv_len;
	}
	bio_endio(bio);
}

static const struct block_device_operations operations = {
	.owner = THIS_MODULE,
	.submit_bio = ramdisk_submit,
};

static inline u64 tick(void)
{
	return rdtsc_ordered();
}

static int by_size(const void *left, const void *right)
{
	u64 a = *(const u64 *)left, b = *(const u64 *)right;

	return a < b ? -1 : a > b;
}

static void report(const char *name, u64 *took)
{
	u64 sum = 0;
	int i;

	for (i = 0; i < ROUNDS; i++)
		sum += took[i];
	sort(took, ROUNDS, sizeof(*took), by_size, NULL);
#define PER_BLOCK(all)	(all) * 100 / BLOCKS / 100, (all) * 100 / BLOCKS % 100
	pr_info("bench %s %llu.%02llu %llu.%02llu %llu.%02llu %llu.%02llu %u %u\n",
		name, PER_BLOCK(took[ROUNDS / 2]), PER_BLOCK(sum / ROUNDS),
		PER_BLOCK(took[0]), PER_BLOCK(took[ROUNDS - 1]), BLOCKS, ROUNDS);
}

/* Ticks for BLOCKS cached blocks, one after the other, or always the first. */
static int hits(struct block_device *bdev, int step, u64 *took)
{
	u64 start = tick();
	int block;

	for (block = 0; block < BLOCKS; block++) {
		struct buffer_head *bh = __bread(bdev, block * step, BLOCK);

		if (!bh)
			return -EIO;
		brelse(bh);
	}
	*took = tick() - start;
	return 0;
}

static int measure(void)
{
	static const char * const names[] = { "disk_buffer_hit_same", "disk_buffer_hit" };
	fmode_t mode = FMODE_READ | FMODE_EXCL;
	struct block_device *bdev = blkdev_get_by_dev(disk_devt(disk), mode, &disk);
	static u64 took[ROUNDS];
	int step, round, err;

	if (IS_ERR(bdev))
		return PTR_ERR(bdev);
	err = set_blocksize(bdev, BLOCK);
	for (step = 0; step < 2 && !err; step++) {
		err = hits(bdev, step, took);		/* they get cached */
		for (round = 0; round < ROUNDS && !err; round++)
			err = hits(bdev, step, &took[round]);
		if (!err)
			report(names[step], took);
	}
	blkdev_put(bdev, mode);
	return err;
}

static int __init ramdisk_init(void)
{
	int err;

	memory = memremap(start << 20, mib << 20, MEMREMAP_WB);
	if (!memory)
		return -ENOMEM;
	major = register_blkdev(0, "ramdisk");
	if (major < 0)
		return major;
	disk = blk_alloc_disk(NUMA_NO_NODE);
	if (!disk) {
		unregister_blkdev(major, "ramdisk");
		return -ENOMEM;
	}
	disk->major = major;
	disk->minors = 1;
	disk->fops = &operations;
	strscpy(disk->disk_name, "ram0", DISK_NAME_LEN);
	blk_queue_flag_set(QUEUE_FLAG_NONROT, disk->queue);
	set_capacity(disk, (sector_t)mib << 11);
	err = add_disk(disk);
	if (err) {
		put_disk(disk);
		unregister_blkdev(major, "ramdisk");
		return err;
	}
	err = measure();
	if (err)
		pr_info("bench disk_buffer_hit failed %d\n", err);
	return 0;
}

module_init(ramdisk_init);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("a disk in hidden memory");
