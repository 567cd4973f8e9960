/* SPDX-License-Identifier: MIT */
/* Whom TCP lets in: the addresses of FCGI_WEB_SERVER_ADDRS (FastCGI 1.0, section 3.2). */
#include "fastcgi/allowed.h"

#include "event.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char variable[] = "FCGI_WEB_SERVER_ADDRS", white_space[] = " \t";

/* One form for both, as a socket that listens on :: shows IPv4 peers (RFC 4291, section 2.5.5.2). */
static struct in6_addr mapped(const struct in_addr *address)
{
	struct in6_addr result = {.s6_addr = {[10] = 0xff, [11] = 0xff}};

	memcpy(result.s6_addr + 12, address, sizeof(*address));
	return result;
}

static bool read_address(struct in6_addr *address, const char *entry, size_t length)
{
	char text[INET6_ADDRSTRLEN];
	struct in_addr old;

	if (length >= sizeof(text))
		return false;
	memcpy(text, entry, length);
	text[length] = '\0';
	if (inet_pton(AF_INET6, text, address) == 1)
		return true;
	if (inet_pton(AF_INET, text, &old) != 1)
		return false;
	*address = mapped(&old);
	return true;
}

/* The entry that text starts with, without the white space around it. */
static size_t trim(const char **entry, const char *text)
{
	size_t length = strcspn(text, ","), before = strspn(text, white_space);

	before = before < length ? before : length;
	*entry = text + before;
	length -= before;
	while (length && strchr(white_space, (*entry)[length - 1]))
		length--;
	return length;
}

static bool add(struct allowed *allowed, const char *text, char *error, size_t size)
{
	const char *entry;
	size_t length = trim(&entry, text);

	if (allowed->count == ALLOWED_MAX) {
		snprintf(error, size, "%s: more than %d addresses", variable, ALLOWED_MAX);
		return false;
	}
	if (!read_address(&allowed->all[allowed->count], entry, length)) {
		snprintf(error, size, "%s: \"%.*s\" is no address of IPv4 or IPv6", variable,
		    (int)(length < 100 ? length : 100), entry);
		return false;
	}
	allowed->count++;
	return true;
}

bool allowed_parse(struct allowed *allowed, const char *text, char *error, size_t size)
{
	allowed->count = 0;
	if (!text || !*text)
		return true;
	for (;; text++) {
		if (!add(allowed, text, error, size))
			return false;
		text += strcspn(text, ",");
		if (!*text)
			return true;
	}
}

bool allowed_load(struct allowed *allowed, char *error, size_t size)
{
	return allowed_parse(allowed, getenv(variable), error, size);
}

static struct in6_addr address_of(const struct sockaddr_storage *peer)
{
	if (peer->ss_family == AF_INET)
		return mapped(&((const struct sockaddr_in *)peer)->sin_addr);
	return ((const struct sockaddr_in6 *)peer)->sin6_addr;
}

bool allowed_has(const struct allowed *allowed, const struct sockaddr_storage *peer)
{
	struct in6_addr address;

	if (!allowed->count || (peer->ss_family != AF_INET && peer->ss_family != AF_INET6))
		return true;
	address = address_of(peer);
	for (size_t i = 0; i < allowed->count; i++)
		if (memcmp(&allowed->all[i], &address, sizeof(address)) == 0)
			return true;
	return false;
}

static void write_address(char text[INET6_ADDRSTRLEN], const struct sockaddr_storage *peer)
{
	struct in6_addr address = address_of(peer);

	inet_ntop(AF_INET6, &address, text, INET6_ADDRSTRLEN);
}

bool allowed_is_news(const struct sockaddr_storage *peer)
{
	char text[INET6_ADDRSTRLEN];

	write_address(text, peer);
	return log_is_news(text);
}

void allowed_tell(const struct sockaddr_storage *peer)
{
	char text[INET6_ADDRSTRLEN];

	write_address(text, peer);
	log_event(&event_connection_foreign, "a peer of %s is sent away: %s does not name it",
	    strncmp(text, "::ffff:", 7) == 0 && strchr(text, '.') ? text + 7 : text, variable);
}
