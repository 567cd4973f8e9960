/* SPDX-License-Identifier: MIT */
/* The two kinds of sessions that authentik's database is asked through. */
#ifndef AUTHENTIK_CATALOGUE_H
#define AUTHENTIK_CATALOGUE_H

#include "postgres/session.h"

/* The questions of every request: each step is to be an index look-up. */
extern const struct session_kind catalogue_common;

/* Look-ups of access tokens, which may have to scan. */
extern const struct session_kind catalogue_slow;

#endif
