/*
 * chapter: what the chapter "Getting Hold of Memory" shows in C, made and undone at insmod, a line in the log for each.
 */
#include <linux/config.h>
#include <linux/module.h>

#include <linux/init.h>

#include "chapter.h"

MODULE_DESCRIPTION("what the chapter shows in C");
MODULE_LICENSE("Dual MIT/GPL");

static int chapter_init(void)
{
    static int (*const parts[])(void) = {
        flags_argument, size_argument, lookaside_cache, whole_pages, virtual_areas, device_memory, older_forms,
    };
    int i, result;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        result = parts[i]();
        if (result)
            return result;
    }
    return 0;
}

static void chapter_exit(void)
{
}

module_init(chapter_init);
module_exit(chapter_exit);
