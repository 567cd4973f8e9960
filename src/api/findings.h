/* SPDX-License-Identifier: MIT */
/* What the database has said of callers, rights and objects, each by itself, in a store. */
#ifndef API_FINDINGS_H
#define API_FINDINGS_H

#include "authentik/caller.h"
#include "authentik/inquiry.h"
#include "authentik/rights.h"
#include "base/store.h"

#include <stdbool.h>

enum { FINDINGS_DIGEST = 16 }; /* bytes that stand for a key */

/* What is known of an object. That it is not there is known, too. */
enum finding { FINDING_NONE, FINDING_ABSENT, FINDING_PRESENT };

/*
 * Each keeps what was found: who holds the API key; what the user may see, asked for as asked (all, or the object); the body
 * of the object, asked for as asked (a text that is NULL: there is none). That nobody holds a key is not kept: it may be an
 * access token still, which another session is asked about, and floods of unknown keys would leave room for nothing else.
 */
void findings_keep_caller(
    struct store *store, const unsigned char digest[FINDINGS_DIGEST], const struct caller *caller);
void findings_keep_rights(struct store *store, enum inquiry_wants asked, int user,
    const uuid_t object, const struct rights *rights);
void findings_keep_object(
    struct store *store, enum inquiry_wants asked, const uuid_t object, struct slice body);

/*
 * Finds what was kept. Of a caller superuser_by and expires are not, of rights superuser_by; a body is valid until the next
 * call of another function with this store.
 */
bool findings_caller(
    const struct store *store, const unsigned char digest[FINDINGS_DIGEST], struct caller *caller);
bool findings_rights(const struct store *store, enum inquiry_wants asked, int user,
    const uuid_t object, struct rights *rights);
enum finding findings_object(
    const struct store *store, enum inquiry_wants asked, const uuid_t object, struct slice *body);

#endif
