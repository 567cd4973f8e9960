/* SPDX-License-Identifier: MIT */
/* The list of web servers that TCP lets in, and whom it lets in then. */
#include "fastcgi/allowed.h"

#include "base/log.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size), error[200] = "";
	struct sockaddr_storage peer = {.ss_family = AF_INET}, other = {.ss_family = AF_INET6},
				local = {.ss_family = AF_UNIX};
	struct allowed allowed;
	bool good = setenv("FCGI_WEB_SERVER_ADDRS", text, 1) == 0 &&
		    allowed_load(&allowed, error, sizeof(error));

	assert(good == (*error == '\0') && strnlen(error, sizeof(error)) < sizeof(error));
	assert(!good || allowed.count <= ALLOWED_MAX);
	if (good) {
		fuzz_use(allowed_has(&allowed, &peer));
		fuzz_use(allowed_has(&allowed, &other));
		assert(allowed_has(&allowed, &local));
		log_set_level(LOG_LEVEL_ERROR); /* it warns */
		if (allowed_is_news(&peer))
			allowed_tell(&peer);
	}
	free(text);
	return 0;
}
