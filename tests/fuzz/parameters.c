/* SPDX-License-Identifier: MIT */
/* Name-value pairs into parameters, and these into a request or a refusal. */
#include "fastcgi/record.h"
#include "fuzz.h"

/* Written again and read again, the pairs are the same. */
static void check_round_trip(const struct parameter *pairs, size_t count)
{
	struct parameter again[PARAMETERS_MAX];
	struct buffer written = {0};
	size_t same;

	for (size_t i = 0; i < count; i++) {
		char *name = fuzz_text(pairs[i].name, pairs[i].name_length);
		char *value = fuzz_text(pairs[i].value, pairs[i].value_length);

		record_append_parameter(&written, name, value);
		free(name);
		free(value);
	}
	assert(record_parse_parameters(
		   written.data, written.length, again, PARAMETERS_MAX, &same) == PARAMETERS_GOOD);
	assert(same == count);
	for (size_t i = 0; i < count; i++) {
		assert(again[i].name_length == strnlen(pairs[i].name, pairs[i].name_length));
		assert(memcmp(again[i].value, pairs[i].value, again[i].value_length) == 0);
	}
	buffer_free(&written);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *exact = fuzz_copy(data, size);
	struct parameter pairs[PARAMETERS_MAX];
	size_t count;
	enum parameters_status status =
	    record_parse_parameters(exact, size, pairs, PARAMETERS_MAX, &count);
	struct request request;

	assert(status == PARAMETERS_GOOD || count == 0);
	request = fuzz_request(status, pairs, count);
	fuzz_refuse(&request);
	check_round_trip(pairs, count);
	free(exact);
	return 0;
}
