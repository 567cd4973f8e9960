/* SPDX-License-Identifier: MIT */
/* Connects to one of the servers that the settings name; blocks while it does. */
#ifndef POSTGRES_CONNECT_H
#define POSTGRES_CONNECT_H

#include "postgres/hosts.h"
#include "settings.h"

#include <libpq-fe.h>
#include <stddef.h>

/*
 * A connection, for whoever asks to finish, and in *host whose it is; NULL where there is none, and
 * fault, of size bytes, says why: for the log, not for a client. Each server is tried by itself, in
 * the order that memory says, and those that stay silent are noted there. Blocks, at most 500 ms for
 * a server while there are others to be tried that are not known to be bad, and connect_timeout for
 * the last of them, whatever libpq is told; a shorter connect_timeout of libpq's counts.
 */
PGconn *connect_to_server(const struct settings *settings, struct hosts_memory *memory,
    struct host *host, char *fault, size_t size);

/*
 * Adds the servers that the settings name to those that metrics are about. Asks nobody; harmless without
 * memory, or where they are left to libpq.
 */
void connect_name_hosts(const struct settings *settings);

/* The place of a server in those. */
unsigned connect_place_of(const struct host *host);

/*
 * What is wrong with what libpq is told anywhere, as conninfo_fault: in the string that the settings
 * have, a service file or the environment. Connects to nothing.
 */
const char *connect_fault(const struct settings *settings, const char **keyword);

#endif
