/* SPDX-License-Identifier: MIT */
/* Asks the workers over their own socket whether they are ready, for a probe's exec. */
#include "pool/ready.h"

#include "fastcgi/address.h"
#include "fastcgi/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { LIMIT_MS = 1000 };

static int complain(const char *what)
{
	fprintf(stderr, "event-matcher-fcgi: %s\n", what);
	return 1;
}

static int ask(const struct settings *settings, int descriptor)
{
	char error[SETTINGS_ERROR_SIZE];
	bool ready;

	if (!client_ask(descriptor, "/-/health/ready/", LIMIT_MS, &ready)) {
		snprintf(error, sizeof(error), "asking %s: %s", settings->listen, strerror(errno));
		return complain(error);
	}
	puts(ready ? "ready" : "not ready");
	return ready ? 0 : 1;
}

int ready_ask(const struct settings *settings)
{
	char error[SETTINGS_ERROR_SIZE], address[ADDRESS_SIZE];
	const char *list = settings->listen;
	int descriptor, code;

	if (!*settings->listen) {
		complain("--ready asks at the address that listen names, and it names none");
		return 2;
	}
	address_next(&list, address); /* configuration_load has judged it */
	descriptor = address_connect(address, error, sizeof(error));
	if (descriptor < 0)
		return complain(error);
	code = ask(settings, descriptor);
	close(descriptor);
	return code;
}
