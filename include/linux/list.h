/*
 * Lists in a ring: a member in each element, and one more as the head. An empty list's head points to itself.
 *
 * Nothing here sleeps or locks: whoever shares a list has a lock for it.
 */
#ifndef _LINUX_LIST_H
#define _LINUX_LIST_H

#include <linux/stddef.h>

struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name) { &(name), &(name) }
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)
#define INIT_LIST_HEAD(head) ((void) ((head)->next = (head)->prev = (head)))

static inline void __list_join(struct list_head *left, struct list_head *right)
{
	left->next = right;
	right->prev = left;
}

/* Behind the head: at the front. */
static inline void list_add(struct list_head *entry, struct list_head *head)
{
	__list_join(entry, head->next);
	__list_join(head, entry);
}

/* Before the head: at the end. */
static inline void list_add_tail(struct list_head *entry, struct list_head *head)
{
	__list_join(head->prev, entry);
	__list_join(entry, head);
}

/* What the entry points to does not change, and is of no use. */
static inline void list_del(struct list_head *entry)
{
	__list_join(entry->prev, entry->next);
}

/* The entry is an empty list afterwards. */
static inline void list_del_init(struct list_head *entry)
{
	list_del(entry);
	INIT_LIST_HEAD(entry);
}

static inline int list_empty(struct list_head *head)
{
	return head->next == head;
}

/* Puts the elements of a list at the front of another. The list's own head is to be initialised again. */
static inline void list_splice(struct list_head *list, struct list_head *head)
{
	if (!list_empty(list)) {
		__list_join(list->prev, head->next);
		__list_join(head, list->next);
	}
}

/* The structure whose member the entry is. */
#define list_entry(entry, type, member) ((type *) ((char *) (entry) - offsetof(type, member)))

/* From the front to the end; with the second one the place's entry may be taken out meanwhile. */
#define list_for_each(place, head) \
	for ((place) = (head)->next; (place) != (head); (place) = (place)->next)
#define list_for_each_safe(place, following, head) \
	for ((place) = (head)->next, (following) = (place)->next; (place) != (head); \
	     (place) = (following), (following) = (place)->next)

#endif
