/* SPDX-License-Identifier: MIT */
/* A connection string into what is wrong with it, of which nothing is repeated. */
#include "postgres/conninfo.h"

#include "fuzz.h"

/* What may be shown of a good one is good again, and shows the same. */
static void show(const char *text)
{
	const char *keyword;
	char *shown = conninfo_show(text), *again = shown ? conninfo_show(shown) : NULL;

	assert(shown && again && !conninfo_fault(shown, &keyword));
	assert(strcmp(shown, again) == 0);
	free(shown);
	free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const char *keyword = "", *fault = conninfo_fault(text, &keyword);

	assert(!keyword || fault);
	show(text);
	/* Constants: they stay when the text goes. */
	free(text);
	fuzz_use(fault ? (unsigned)strlen(fault) : 0);
	fuzz_use(keyword ? (unsigned)strlen(keyword) : 0);
	return 0;
}
