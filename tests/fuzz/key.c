/* SPDX-License-Identifier: MIT */
/* The value of Authorization into a key, or into what is wrong with it. */
#include "fuzz.h"

/* A key is a part of what was given, printable, and no longer than a key may be. */
static void check_key(const struct request *request, struct slice given)
{
	if (request->status != STATUS_OK)
		return;
	assert(request->key.length <= REQUEST_KEY_MAX);
	assert(request->key.text >= given.text &&
	       request->key.text + request->key.length <= given.text + given.length);
	for (size_t i = 0; i < request->key.length; i++)
		assert(request->key.text[i] >= 0x20 && request->key.text[i] <= 0x7e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *exact = fuzz_copy(data, size);
	struct slice given = {(const char *)exact, size};
	const struct parameter pairs[] = {fuzz_parameter(SLICE("REQUEST_METHOD"), SLICE("GET")),
	    fuzz_parameter(SLICE("REQUEST_URI"),
		SLICE("/api/v3/policies/event_matcher/11111111-1111-4111-8111-111111111111/")),
	    fuzz_parameter(SLICE("HTTP_X_REQUEST_ID"), given),
	    fuzz_parameter(SLICE("HTTP_AUTHORIZATION"), given)};
	struct request request = fuzz_request(PARAMETERS_GOOD, pairs, 4);

	fuzz_refuse(&request);
	check_key(&request, given);
	free(exact);
	return 0;
}
