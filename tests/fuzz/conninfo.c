/* SPDX-License-Identifier: MIT */
/* A connection string into what is wrong with it, of which nothing is repeated. */
#include "postgres/conninfo.h"

#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	const char *keyword = "", *fault = conninfo_fault(text, &keyword);

	assert(!keyword || fault);
	/* Constants: they stay when the text goes. */
	free(text);
	fuzz_use(fault ? (unsigned)strlen(fault) : 0);
	fuzz_use(keyword ? (unsigned)strlen(keyword) : 0);
	return 0;
}
