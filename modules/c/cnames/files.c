/*
 * files.c: files in /proc: the three ways to hand out a text by pieces, one that takes what is written to it, and a
 * directory.
 */
#include <linux/kernel.h>
#include <linux/errno.h>
#include <linux/proc_fs.h>
#include <linux/string.h>
#include <asm/uaccess.h>

#include "check.h"

#define RECORDS 500
#define LETTERS 10000
#define PIECE 1000

static struct proc_dir_entry *directory;
static char stored[20] = "nothing";

/* All of it from the start of the page. */
static int read_whole(char *page, char **start, off_t offset, int count)
{
    return sprintf(page, "whole\n");
}

/* What was asked for, somewhere in the page: *start says where. */
static int read_letters(char *page, char **start, off_t offset, int count, int *eof, void *data)
{
    int length = 0;

    for (; length < PIECE && offset + length < LETTERS; length++)
        page[100 + length] = 'a' + (offset + length) % 26;
    *start = page + 100;
    *eof = offset + length >= LETTERS;
    return length;
}

/* A record at a time: *start is by how much the offset grows, which counts records then. */
static int read_records(char *page, char **start, off_t offset, int count, int *eof, void *data)
{
    if (offset >= RECORDS) {
        *eof = 1;
        return 0;
    }
    *start = (char *)1;
    return sprintf(page, "%s %li\n", (char *)data, (long)offset);
}

static int read_stored(char *page, char **start, off_t offset, int count, int *eof, void *data)
{
    *eof = 1;
    return sprintf(page, "<%s>\n", (char *)data);
}

static int write_stored(struct file *file, const char *buffer, unsigned long count, void *data)
{
    if (count >= sizeof(stored))
        return -EINVAL;
    if (copy_from_user(data, buffer, count))
        return -EFAULT;
    stored[count] = 0;
    return count;
}

void files_begin(void)
{
    read_proc_t *letters = read_letters, *records = read_records;
    struct proc_dir_entry *entry;

    directory = proc_mkdir("cnames-files", NULL);
    EXPECT(directory && create_proc_info_entry("whole", 0, directory, read_whole));
    EXPECT(create_proc_read_entry("letters", 0, directory, letters, NULL));
    EXPECT(create_proc_read_entry("records", 0, directory, records, "record"));
    entry = create_proc_entry("cnames-stored", S_IRUGO | S_IWUSR, &proc_root);
    EXPECT(entry);
    if (entry) {
        entry->read_proc = read_stored;
        entry->write_proc = write_stored;
        entry->data = stored;
    }
}

void files_end(void)
{
    remove_proc_entry("cnames-stored", &proc_root);
    remove_proc_entry("whole", directory);
    remove_proc_entry("letters", directory);
    remove_proc_entry("records", directory);
    remove_proc_entry("cnames-files", NULL);
}
