/* SPDX-License-Identifier: MIT */
/* Connects to the server that the settings name; blocks while it does. */
#ifndef POSTGRES_CONNECT_H
#define POSTGRES_CONNECT_H

#include "settings.h"

#include <libpq-fe.h>
#include <stddef.h>

/*
 * A connection, for whoever asks to finish; NULL where there is none, and fault, of size bytes, says
 * why: for the log, not for a client. Blocks, at most about connect_timeout for each host.
 */
PGconn *connect_to_server(const struct settings *settings, char *fault, size_t size);

#endif
