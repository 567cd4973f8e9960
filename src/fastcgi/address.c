/* SPDX-License-Identifier: MIT */
/* The addresses that a setting lists: unix:/path, host:port, [host]:port, :port, port. */
#include "fastcgi/address.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char unix_prefix[] = "unix:", separators[] = ", \t", digits[] = "0123456789";

bool address_next(const char **list, char address[ADDRESS_SIZE])
{
	const char *start = *list + strspn(*list, separators);
	size_t length = strcspn(start, separators);

	*list = start + length + strspn(start + length, separators);
	errno = ENAMETOOLONG;
	if (length >= ADDRESS_SIZE)
		return false;
	memcpy(address, start, length);
	address[length] = '\0';
	return true;
}

const char *address_path(const char *address)
{
	size_t length = strlen(unix_prefix);

	return strncmp(address, unix_prefix, length) == 0 ? address + length : NULL;
}

/* Splits "host:port", "[host]:port", ":port" or "port" in place; *host is NULL for any. */
static bool split_host(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	*host = NULL;
	*port = colon ? colon + 1 : text;
	if (!colon)
		return *text && strspn(text, digits) == strlen(text);
	*colon = '\0';
	if (!**port || colon == text)
		return **port;
	*host = text;
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = text + 1;
	}
	return **host != '\0';
}

static const char *judge_path(const char *path)
{
	struct sockaddr_un address;

	if (!*path)
		return "has no path";
	if (*path != '/')
		return "has a path that does not begin with a slash";
	return strlen(path) < sizeof(address.sun_path) ? NULL : "has a path of more than 107 bytes";
}

static const char *judge_port(const char *port)
{
	bool is_number = strspn(port, digits) == strlen(port);

	if (is_number && (strlen(port) > 5 || atoi(port) < 1 || atoi(port) > 65535))
		return "has a port that is not between 1 and 65535";
	return NULL;
}

static const char *judge(const char *address)
{
	char text[ADDRESS_SIZE], *host, *port;
	const char *path = address_path(address);

	if (path)
		return judge_path(path);
	if (*address == '/')
		return "is a path: unix: is to stand before it";
	if (*address == '[' && !strstr(address, "]:"))
		return "has no port behind its bracket";
	snprintf(text, sizeof(text), "%s", address);
	if (!split_host(text, &host, &port))
		return "is not unix:/path, host:port or a port";
	if (host == text && strchr(host, ':'))
		return "is an IPv6 address, which is to stand in brackets, before its port";
	return judge_port(port);
}

bool address_judge(const char *setting, const char *list, char *error, size_t size)
{
	while (*list) {
		char address[ADDRESS_SIZE] = "";
		const char *fault = address_next(&list, address) ? judge(address) : "is too long";

		if (!fault)
			continue;
		snprintf(error, size, "%s: the address %.60s %s", setting, address, fault);
		return false;
	}
	return true;
}

struct addrinfo *address_look_up(const char *address, int flags, char *error, size_t size)
{
	struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM}, *found = NULL;
	char text[ADDRESS_SIZE], *host, *port;
	int result;

	snprintf(text, sizeof(text), "%s", address);
	if (!split_host(text, &host, &port)) {
		snprintf(error, size, "listen is to be unix:/path, host:port or a port, not \"%s\"",
		    address);
		return NULL;
	}
	result = getaddrinfo(host, port, &hints, &found);
	if (result == 0)
		return found;
	snprintf(error, size, "looking up the address %s to listen on: %s", address,
	    gai_strerror(result));
	return NULL;
}

static int connect_to(const struct sockaddr *address, socklen_t length)
{
	int descriptor = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0), cause;

	if (descriptor < 0 || connect(descriptor, address, length) == 0)
		return descriptor;
	cause = errno;
	close(descriptor);
	errno = cause;
	return -1;
}

static int connect_to_path(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	errno = ENAMETOOLONG;
	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	return connect_to((const struct sockaddr *)&address, sizeof(address));
}

int address_connect(const char *address, char *error, size_t size)
{
	const char *path = address_path(address);
	struct addrinfo *found = NULL;
	int descriptor, cause;

	if (!path && !(found = address_look_up(address, 0, error, size)))
		return -1;
	descriptor = path ? connect_to_path(path) : connect_to(found->ai_addr, found->ai_addrlen);
	cause = errno;
	if (descriptor < 0)
		snprintf(error, size, "connecting to %s: %s", address, strerror(cause));
	if (found)
		freeaddrinfo(found);
	errno = cause;
	return descriptor;
}
