/* SPDX-License-Identifier: MIT */
/* A plain HTTP request's method and path are found, and what is none is refused. */
#include "http/head.h"

#include <criterion/criterion.h>
#include <string.h>

static struct head head;

static enum head_kind read_text(const char *text)
{
	return head_read(text, strlen(text), &head);
}

Test(head, method_and_path_are_found_and_the_query_is_left_out)
{
	cr_assert_eq(read_text("GET /a/b?c=/d HTTP/1.1\r\nHost: x\r\n\r\nrest"), HEAD_GOOD);
	cr_assert(slice_is(head.method, slice_of("GET")));
	cr_assert(slice_is(head.path, slice_of("/a/b")));
	cr_assert_eq(read_text("OPTIONS / HTTP/1.0\r\n\r\n"), HEAD_GOOD);
	cr_assert(slice_is(head.path, slice_of("/")));
}

Test(head, more_is_to_come_up_to_the_empty_line)
{
	static const char whole[] = "GET / HTTP/1.1\r\n\r\n";

	for (size_t length = 0; length + 1 < sizeof(whole) - 1; length++)
		cr_assert_eq(head_read(whole, length, &head), HEAD_MORE);
	cr_assert_eq(head_read(whole, sizeof(whole) - 1, &head), HEAD_GOOD);
}

Test(head, what_is_no_request_line_is_refused)
{
	static const char *const bad[] = {"\r\n\r\n", "GET\r\n\r\n", "GET /\r\n\r\n",
	    " / HTTP/1.1\r\n\r\n", "GET  / HTTP/1.1\r\n\r\n", "GET x HTTP/1.1\r\n\r\n",
	    "GET / HTTP/1.\r\n\r\n", "GET / HTTP/1.x\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
	    "GET / HTTP/1.10\r\n\r\n", "GET / x HTTP/1.1\r\n\r\n", "GET / HTTP/1.1 \r\n\r\n"};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(read_text(bad[i]), HEAD_BAD, "%s", bad[i]);
}
