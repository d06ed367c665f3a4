/*
 * lists.c: lists in a ring.
 */
#include <linux/kernel.h>
#include <linux/list.h>

#include "check.h"

struct element {
    int number;
    struct list_head list;
};

/* The numbers on a list as digits, from the front on. */
static int digits(struct list_head *head)
{
    struct list_head *place;
    int all = 0;

    list_for_each(place, head)
        all = all * 10 + list_entry(place, struct element, list)->number;
    return all;
}

void check_lists(void)
{
    LIST_HEAD(list);
    struct element elements[4] = {{1}, {2}, {3}, {4}};
    struct list_head other, *place, *following;

    EXPECT(list_empty(&list) && digits(&list) == 0);
    list_add(&elements[1].list, &list);
    list_add(&elements[0].list, &list);
    list_add_tail(&elements[2].list, &list);
    EXPECT(digits(&list) == 123 && list.prev == &elements[2].list);
    list_del(&elements[1].list);
    EXPECT(digits(&list) == 13 && !list_empty(&list));
    INIT_LIST_HEAD(&other);
    list_splice(&other, &list);
    EXPECT(digits(&list) == 13);
    list_add(&elements[3].list, &other);
    list_add(&elements[1].list, &other);
    list_splice(&other, &list);
    EXPECT(digits(&list) == 2413 && list.next->prev == &list && list.prev->next == &list);
    list_for_each_safe(place, following, &list)
        if (list_entry(place, struct element, list)->number < 4)
            list_del_init(place);
    EXPECT(digits(&list) == 4 && list_empty(&elements[0].list));
}
