/* SPDX-License-Identifier: MIT */
/* Paths, their queries and Accept: four lines, of which the first is REQUEST_URI. */
#include "fuzz.h"

/* What is asked for again by the id that was read is the same object. */
static void check_object(const struct request *request)
{
	char id[UUID_STR_LEN], uri[64 + UUID_STR_LEN];
	struct parameter pairs[3];
	struct request again;

	if (request->status != STATUS_OK)
		return;
	uuid_unparse_lower(request->object, id);
	strcpy(stpcpy(stpcpy(uri, "/api/v3/policies/event_matcher/"), id), "/");
	pairs[0] = fuzz_parameter(SLICE("REQUEST_METHOD"), SLICE("GET"));
	pairs[1] = fuzz_parameter(SLICE("REQUEST_URI"), slice_of(uri));
	pairs[2] = fuzz_parameter(SLICE("HTTP_AUTHORIZATION"), SLICE("Bearer key"));
	again = fuzz_request(PARAMETERS_GOOD, pairs, 3);
	assert(again.status == STATUS_OK && uuid_compare(again.object, request->object) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	unsigned char *exact = fuzz_copy(data, size);
	const uint8_t *rest = exact;
	struct slice uri = fuzz_line(&rest, &size), script = fuzz_line(&rest, &size),
		     info = fuzz_line(&rest, &size), accept = fuzz_line(&rest, &size);
	struct parameter pairs[7] = {fuzz_parameter(SLICE("REQUEST_METHOD"), SLICE("GET")),
	    fuzz_parameter(SLICE("HTTP_AUTHORIZATION"), SLICE("Bearer key"))};
	size_t count = 2;
	struct request request;

	if (uri.length)
		pairs[count++] = fuzz_parameter(SLICE("REQUEST_URI"), uri);
	pairs[count++] = fuzz_parameter(SLICE("SCRIPT_NAME"), script);
	pairs[count++] = fuzz_parameter(SLICE("PATH_INFO"), info);
	if (accept.length)
		pairs[count++] = fuzz_parameter(SLICE("HTTP_ACCEPT"), accept);
	if (size)
		pairs[count++] =
		    fuzz_parameter(SLICE("QUERY_STRING"), (struct slice){(const char *)rest, size});
	request = fuzz_request(PARAMETERS_GOOD, pairs, count);
	fuzz_refuse(&request);
	check_object(&request);
	free(exact);
	return 0;
}
