/* SPDX-License-Identifier: MIT */
/* The server's state before a batch's questions, and what keeps it from saying all. */
#ifndef AUTHENTIK_SNAPSHOT_H
#define AUTHENTIK_SNAPSHOT_H

#include "authentik/inquiry.h"

/* What snapshot.sql says; valid as long as the answer. */
struct snapshot {
	const char *text; /* which transactions have ended */
	const char *now;  /* the time by which what expires is judged, in the order of strcmp */
	int backend;      /* the server's process */
};

extern const struct statement snapshot_statement, snapshot_knowable_statement;

/* Reads what an inquiry that wants INQUIRY_SNAPSHOT was answered. */
struct snapshot snapshot_read(const struct answer *answer, const struct inquiry *inquiry);

/*
 * Of one that wants INQUIRY_KNOWABLE (knowable.sql): why what the tables show does not follow from the snapshot alone, valid as long as the
 * answer; NULL: it does.
 */
const char *snapshot_obstacle(const struct answer *answer, const struct inquiry *inquiry);

#endif
