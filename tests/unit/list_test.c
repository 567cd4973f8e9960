/* SPDX-License-Identifier: MIT */
/* The list keeps its order and lets go of any member. */
#include "base/list.h"

#include <criterion/criterion.h>

struct member {
	int number;
	struct list node;
};

static struct member *first(struct list *list)
{
	return list_entry(list->next, struct member, node);
}

Test(list, is_empty_until_a_node_is_appended)
{
	struct list list;
	struct member one = {.number = 1};

	list_init(&list);
	cr_assert(list_empty(&list));
	list_append(&list, &one.node);
	cr_assert(!list_empty(&list));
	cr_assert_eq(first(&list)->number, 1);
}

Test(list, keeps_the_order_of_what_is_appended_and_puts_first_what_is_prepended)
{
	struct list list;
	struct member members[3] = {{.number = 1}, {.number = 2}, {.number = 0}};

	list_init(&list);
	list_append(&list, &members[0].node);
	list_append(&list, &members[1].node);
	list_prepend(&list, &members[2].node);
	for (int expected = 0; expected < 3; expected++) {
		cr_assert_eq(first(&list)->number, expected);
		list_remove(list.next);
	}
	cr_assert(list_empty(&list));
}

Test(list, a_node_may_be_removed_twice)
{
	struct list list;
	struct member one = {.number = 1}, two = {.number = 2};

	list_init(&list);
	list_append(&list, &one.node);
	list_append(&list, &two.node);
	list_remove(&one.node);
	list_remove(&one.node);
	cr_assert_eq(first(&list)->number, 2);
}
