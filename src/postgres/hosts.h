/* SPDX-License-Identifier: MIT */
/* The servers that a connection string lists, one by one, and which of them were good. */
#ifndef POSTGRES_HOSTS_H
#define POSTGRES_HOSTS_H

#include <stdbool.h>
#include <stdint.h>

enum {
	HOSTS_MAX = 16,
	HOSTS_BAD_MAX = 8,
	HOST_NAME_MAX_BYTES = 256,
	HOST_ADDRESS_MAX = 64,
	HOST_PORT_MAX = 8
};

/* One server as libpq's parameters name it; empty: left to libpq. */
struct host {
	char name[HOST_NAME_MAX_BYTES], address[HOST_ADDRESS_MAX], port[HOST_PORT_MAX];
};

struct hosts {
	struct host list[HOSTS_MAX];
	unsigned count;
};

/* What was found out about servers; zeros know nothing. A server is known by its hash. */
struct hosts_memory {
	uint64_t good; /* the last one that gave a session; 0: none */
	struct {
		uint64_t host;
		int64_t until; /* milliseconds of clock_ms */
	} bad[HOSTS_BAD_MAX];
};

/*
 * Reads libpq's lists between commas (PostgreSQL's documentation, "Specifying Multiple Hosts"), each
 * NULL where it is not given. False where they are left to libpq: one is longer than there is room
 * for, a list leaves a server out, their lengths differ, or there are more than HOSTS_MAX.
 */
bool hosts_read(struct hosts *hosts, const char *names, const char *addresses, const char *ports);

/*
 * Looks up the names that have no address; each address of a name that has several becomes a server
 * of its own, in their order, as far as there is room. What cannot be looked up stays as it is, for
 * libpq to say so. Blocks.
 */
void hosts_resolve(struct hosts *hosts);

enum { HOST_LABEL_MAX = HOST_NAME_MAX_BYTES + HOST_PORT_MAX + 2 };

/* What metrics call a server, by its name or else its address, and its port; "default" is libpq's own. */
void hosts_label(const struct host *host, char label[HOST_LABEL_MAX]);

/* Starts at the place by rotating the list: who spreads its workers over the servers wants that. */
void hosts_rotate(struct hosts *hosts, unsigned place);

/* The last good one first, those known to be bad last, else as they are. */
void hosts_order(struct hosts *hosts, const struct hosts_memory *memory, int64_t now);

/* Is there another one behind the place that is not known to be bad? */
bool hosts_has_better(
    const struct hosts *hosts, unsigned place, const struct hosts_memory *memory, int64_t now);

/* Notes what became of a server; the oldest bad one is forgotten for a new one. */
void hosts_note_good(struct hosts_memory *memory, const struct host *host);
void hosts_note_bad(struct hosts_memory *memory, const struct host *host, int64_t until);

#endif
