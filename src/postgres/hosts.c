/* SPDX-License-Identifier: MIT */
/* The servers that a connection string lists, one by one, and which of them were good. */
#include "postgres/hosts.h"

#include "base/hash.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Copies the next item of a list, and steps behind it; false where it is empty or too long. */
static bool take_item(const char **list, char *to, size_t size)
{
	size_t length = strcspn(*list, ",");

	if (length == 0 || length >= size)
		return false;
	memcpy(to, *list, length);
	to[length] = '\0';
	*list += length + ((*list)[length] == ',');
	return true;
}

static unsigned count_items(const char *list)
{
	unsigned count = 0;

	for (; list && *list; list = strchr(list, ',') ? strchr(list, ',') + 1 : "")
		count++;
	return count;
}

/* One port is that of all. */
static bool take_port(const char **ports, unsigned count, char *to)
{
	const char *only = *ports;

	if (count == 0)
		return true;
	return take_item(count == 1 ? &only : ports, to, HOST_PORT_MAX);
}

bool hosts_read(struct hosts *hosts, const char *names, const char *addresses, const char *ports)
{
	unsigned named = count_items(names), addressed = count_items(addresses),
		 ported = count_items(ports);

	*hosts = (struct hosts){.count = named > addressed ? named : addressed};
	if (hosts->count == 0)
		hosts->count = 1;
	if (hosts->count > HOSTS_MAX || (named && addressed && named != addressed) ||
	    (ported > 1 && ported != hosts->count))
		return false;
	for (unsigned i = 0; i < hosts->count; i++) {
		struct host *host = &hosts->list[i];

		if ((named && !take_item(&names, host->name, sizeof(host->name))) ||
		    (addressed && !take_item(&addresses, host->address, sizeof(host->address))) ||
		    !take_port(&ports, ported, host->port))
			return false;
	}
	return true;
}

static void append(struct hosts *hosts, const struct host *host)
{
	if (hosts->count < HOSTS_MAX)
		hosts->list[hosts->count++] = *host;
}

static struct addrinfo *look_up(const struct host *host)
{
	const struct addrinfo wanted = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
	bool path = *host->name == '/' || *host->name == '@';
	struct addrinfo *found = NULL;

	if (!*host->name || *host->address || path)
		return NULL;
	return getaddrinfo(host->name, NULL, &wanted, &found) == 0 ? found : NULL;
}

/* Each address that was found of the host. */
static void append_addresses(struct hosts *to, struct host host, const struct addrinfo *found)
{
	for (; found; found = found->ai_next)
		if (getnameinfo(found->ai_addr, found->ai_addrlen, host.address,
			sizeof(host.address), NULL, 0, NI_NUMERICHOST) == 0)
			append(to, &host);
}

void hosts_resolve(struct hosts *hosts)
{
	struct hosts resolved = {.count = 0};

	for (unsigned i = 0; i < hosts->count; i++) {
		struct addrinfo *found = look_up(&hosts->list[i]);

		if (found && found->ai_next)
			append_addresses(&resolved, hosts->list[i], found);
		else
			append(&resolved, &hosts->list[i]);
		if (found)
			freeaddrinfo(found);
	}
	*hosts = resolved;
}

void hosts_label(const struct host *host, char label[HOST_LABEL_MAX])
{
	const char *name = *host->name ? host->name : *host->address ? host->address : "default";

	snprintf(label, HOST_LABEL_MAX, "%s%s%s", name, *host->port ? ":" : "", host->port);
}

void hosts_rotate(struct hosts *hosts, unsigned place)
{
	struct hosts rotated = {.count = 0};

	for (unsigned i = 0; i < hosts->count; i++)
		append(&rotated, &hosts->list[(place + i) % hosts->count]);
	*hosts = rotated;
}

/* Each text with the NUL at its end, which keeps them apart. */
static uint64_t hash(const struct host *host)
{
	const char *const texts[] = {host->name, host->address, host->port};
	uint64_t value = HASH_START;

	for (int i = 0; i < 3; i++)
		value = hash_bytes(value, texts[i], strlen(texts[i]) + 1);
	return hash_not_zero(value);
}

static bool is_bad(const struct host *host, const struct hosts_memory *memory, int64_t now)
{
	uint64_t wanted = hash(host);

	for (int i = 0; i < HOSTS_BAD_MAX; i++)
		if (memory->bad[i].host == wanted && memory->bad[i].until > now)
			return true;
	return false;
}

void hosts_order(struct hosts *hosts, const struct hosts_memory *memory, int64_t now)
{
	enum { GOOD, UNKNOWN, BAD, RANKS };
	struct hosts ordered = {.count = 0};

	for (int rank = GOOD; rank < RANKS; rank++)
		for (unsigned i = 0; i < hosts->count; i++) {
			const struct host *host = &hosts->list[i];
			int own = is_bad(host, memory, now)    ? BAD
				  : hash(host) == memory->good ? GOOD
							       : UNKNOWN;

			if (own == rank)
				append(&ordered, host);
		}
	*hosts = ordered;
}

bool hosts_has_better(
    const struct hosts *hosts, unsigned place, const struct hosts_memory *memory, int64_t now)
{
	while (++place < hosts->count)
		if (!is_bad(&hosts->list[place], memory, now))
			return true;
	return false;
}

void hosts_note_good(struct hosts_memory *memory, const struct host *host)
{
	memory->good = hash(host);
	for (int i = 0; i < HOSTS_BAD_MAX; i++)
		if (memory->bad[i].host == memory->good)
			memory->bad[i].until = 0;
}

void hosts_note_bad(struct hosts_memory *memory, const struct host *host, int64_t until)
{
	uint64_t noted = hash(host);
	int place = 0;

	for (int i = 0; i < HOSTS_BAD_MAX; i++)
		if (memory->bad[i].until < memory->bad[place].until)
			place = i;
	for (int i = 0; i < HOSTS_BAD_MAX; i++)
		if (memory->bad[i].host == noted)
			place = i;
	memory->bad[place].host = noted;
	memory->bad[place].until = until;
}
