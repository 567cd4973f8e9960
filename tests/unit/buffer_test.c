/* SPDX-License-Identifier: MIT */
/* The buffer grows, remembers a failure, and hands its storage to a pool and back. */
#include "base/buffer.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

Test(buffer, holds_what_is_appended_in_order)
{
	struct buffer buffer = {0};

	buffer_append_text(&buffer, "abc");
	buffer_append(&buffer, "\0d", 2);
	cr_assert_eq(buffer.length, 5);
	cr_assert_arr_eq(buffer.data, "abc\0d", 5);
	buffer_free(&buffer);
}

Test(buffer, grows_beyond_its_first_storage_and_keeps_what_it_had)
{
	struct buffer buffer = {0};

	for (int i = 0; i < 100000; i++)
		buffer_append(&buffer, "x", 1);
	cr_assert_eq(buffer.length, 100000);
	cr_assert_eq(buffer.data[0] + buffer.data[99999], 2 * 'x');
	buffer_free(&buffer);
}

Test(buffer, extends_by_zeros)
{
	struct buffer buffer = {0};
	unsigned char *start = buffer_extend(&buffer, 3);

	cr_assert_eq(start, buffer.data);
	cr_assert_arr_eq(buffer.data, "\0\0\0", 3);
	buffer_free(&buffer);
}

Test(buffer, drops_from_the_front)
{
	struct buffer buffer = {0};

	buffer_append_text(&buffer, "abcdef");
	buffer_drop(&buffer, 4);
	cr_assert_eq(buffer.length, 2);
	cr_assert_arr_eq(buffer.data, "ef", 2);
	buffer_drop(&buffer, 2);
	cr_assert_eq(buffer.length, 0);
	buffer_free(&buffer);
}

Test(buffer, remembers_a_failure_until_it_is_cleared_and_keeps_what_it_had)
{
	struct buffer buffer = {0};

	buffer_append_text(&buffer, "abc");
	cr_assert_null(buffer_extend(&buffer, SIZE_MAX / 2));
	buffer_append_text(&buffer, "def");
	cr_assert(buffer.failed);
	cr_assert_eq(buffer.length, 3);
	buffer_clear(&buffer);
	buffer_append_text(&buffer, "def");
	cr_assert(!buffer.failed);
	cr_assert_arr_eq(buffer.data, "def", 3);
	buffer_free(&buffer);
}

Test(buffer, storage_goes_to_the_pool_and_comes_back_empty)
{
	static struct buffer_pool pool;
	struct buffer buffer = {0};
	unsigned char *storage;

	buffer_append_text(&buffer, "abc");
	storage = buffer.data;
	buffer_return(&buffer, &pool);
	cr_assert_null(buffer.data);
	buffer_borrow(&buffer, &pool);
	cr_assert_eq(buffer.data, storage);
	cr_assert_eq(buffer.length, 0);
	buffer_return(&buffer, &pool);
	buffer_pool_free(&pool);
}

Test(buffer, large_storage_is_freed_instead_of_pooled)
{
	static struct buffer_pool pool;
	struct buffer buffer = {0};

	buffer_extend(&buffer, BUFFER_POOL_LARGEST + 1);
	buffer_return(&buffer, &pool);
	cr_assert_eq(pool.count, 0);
	cr_assert_null(buffer.data);
}

Test(buffer, a_full_pool_takes_no_more)
{
	static struct buffer_pool pool;

	for (int i = 0; i < BUFFER_POOL_SPARES + 10; i++) {
		struct buffer buffer = {0};

		buffer_append_text(&buffer, "x");
		buffer_return(&buffer, &pool);
	}
	cr_assert_eq(pool.count, BUFFER_POOL_SPARES);
	buffer_pool_free(&pool);
}
