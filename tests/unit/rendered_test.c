/* SPDX-License-Identifier: MIT */
/* A large body is rendered once for a batch, and never for another object or another batch. */
#include "api/rendered.h"

#include <criterion/criterion.h>

static struct rendered rendered;
static struct buffer body;
static struct json json;
static struct batch batch, other;
static struct inquiry inquiry;
static int count; /* of renderings */
static size_t size;

static bool render(
    struct json *to, struct buffer *at, const struct inquiry *of, const struct answer *answer)
{
	(void)to, (void)answer;
	count++;
	for (size_t i = 0; i < size; i++)
		buffer_append(at, of->object, 1);
	return size > 0;
}

static const struct operation operation = {.render = render}, another = {.render = render};

static void forget(void)
{
	buffer_free(&body);
	rendered_free(&rendered);
}

TestSuite(rendered, .fini = forget);

/* Asks for an object of a batch; returns how often it has been rendered by now. */
static int ask(const struct operation *what, const struct batch *of, unsigned char object)
{
	const struct answer answer = {.outcome = ANSWER_GOOD, .batch = of};

	buffer_clear(&body);
	inquiry.object[0] = object;
	cr_assert_eq(rendered_append(&rendered, what, &json, &body, &inquiry, &answer), size > 0);
	cr_assert(body.length == size && (!size || body.data[size - 1] == object));
	return count;
}

Test(rendered, a_large_one_is_rendered_once_for_its_batch)
{
	size = RENDERED_LEAST;
	cr_assert_eq(ask(&operation, &batch, 'a'), 1);
	cr_assert_eq(ask(&operation, &batch, 'a'), 1);
	cr_assert_eq(ask(&operation, &batch, 'b'), 2);
	cr_assert_eq(ask(&operation, &batch, 'b'), 2);
	cr_assert_eq(ask(&operation, &batch, 'a'), 3);
}

Test(rendered, another_batch_operation_or_turn_of_the_batch_renders_anew)
{
	size = RENDERED_LEAST;
	cr_assert_eq(ask(&operation, &batch, 'a'), 1);
	cr_assert_eq(ask(&another, &batch, 'a'), 2);
	cr_assert_eq(ask(&another, &other, 'a'), 3);
	batch_clear(&other);
	cr_assert_eq(ask(&another, &other, 'a'), 4);
}

Test(rendered, a_small_one_is_not_kept_and_drops_what_was)
{
	size = RENDERED_LEAST;
	cr_assert_eq(ask(&operation, &batch, 'a'), 1);
	size = RENDERED_LEAST - 1;
	cr_assert_eq(ask(&operation, &other, 'a'), 2);
	cr_assert_null(rendered.body.data);
	cr_assert_eq(ask(&operation, &other, 'a'), 3);
}

Test(rendered, what_is_not_there_is_not_kept)
{
	cr_assert_eq(ask(&operation, &batch, 'a'), 1);
	cr_assert_eq(ask(&operation, &batch, 'a'), 2);
}
