/* SPDX-License-Identifier: MIT */
/* The two kinds of sessions that authentik's database is asked through. */
#ifndef AUTHENTIK_KINDS_H
#define AUTHENTIK_KINDS_H

#include "postgres/session.h"

/* The questions of every request: each step is to be an index look-up. */
extern const struct session_kind kinds_common;

/* Look-ups of access tokens, which may have to scan. */
extern const struct session_kind kinds_slow;

#endif
