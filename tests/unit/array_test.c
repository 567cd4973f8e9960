/* SPDX-License-Identifier: MIT */
/* Arrays are the bytes that array_recv of PostgreSQL reads. */
#include "postgres/array.h"

#include <criterion/criterion.h>

static struct buffer buffer;

static void free_buffer(void)
{
	buffer_free(&buffer);
}

TestSuite(array, .fini = free_buffer);

Test(array, an_array_of_texts_has_its_dimension_its_type_and_a_length_before_each)
{
	static const unsigned char expected[] = {0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 25, 0, 0, 0, 2, 0,
	    0, 0, 1, 0, 0, 0, 3, 'a', ',', '"', 0, 0, 0, 0};

	array_start(&buffer, ARRAY_TEXT, 2);
	array_append(&buffer, "a,\"", 3);
	array_append(&buffer, "", 0);
	cr_assert_eq(buffer.length, sizeof(expected));
	cr_assert_arr_eq(buffer.data, expected, sizeof(expected));
}

Test(array, a_new_start_forgets_the_array_before)
{
	array_start(&buffer, ARRAY_UUID, 1);
	array_append(&buffer, "0123456789abcdef", 16);
	array_start(&buffer, ARRAY_INT4, 0);
	cr_assert_leq(buffer.length, 20);
	cr_assert_eq(buffer.data[11], 23);
}
