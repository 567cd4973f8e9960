/* SPDX-License-Identifier: MIT */
/* Links structs into rings through a node in each, so queueing allocates nothing. */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* A node that is in no list points at itself; a list is a node that is in no struct. */
struct list {
	struct list *next, *previous;
};

/* The struct of the given type whose member is at node. */
#define list_entry(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

/* Makes an empty list, or a node that is in none. */
static inline void list_init(struct list *list)
{
	list->next = list->previous = list;
}

/* Is there no node in the list? Of a node: is it in none? */
static inline bool list_empty(const struct list *list)
{
	return list->next == list;
}

/* Puts node, which must be in no list, at the end of list. */
static inline void list_append(struct list *list, struct list *node)
{
	node->previous = list->previous;
	node->next = list;
	list->previous->next = node;
	list->previous = node;
}

/* Puts node, which must be in no list, before all others of list. */
static inline void list_prepend(struct list *list, struct list *node)
{
	list_append(list->next, node);
}

/* Takes node out of its list; harmless for one that is in none. */
static inline void list_remove(struct list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_init(node);
}

#endif
