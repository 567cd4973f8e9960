/* SPDX-License-Identifier: MIT */
/* Finds the route that a request's path takes; pure. */
#ifndef HTTP_ROUTE_H
#define HTTP_ROUTE_H

#include "base/slice.h"
#include "http/fields.h"

#include <stdbool.h>

enum { ROUTE_PATH_MAX = 8192 };

struct operation;

/* What is served where. The object's id is a UUID. */
struct route {
	const char *methods; /* as Allow lists them (RFC 9110, section 10.2.1) */
	const char *pattern; /* below the API's root: segments, one of them <the id's name> */
	const struct operation *operation; /* whoever made the table knows what that is */
};

/*
 * The API's root, without a slash at its end, and its routes, which end with one without a
 * pattern.
 */
struct router {
	const char *base_path;
	const struct route *routes;
};

/*
 * The path's pieces, in order: of REQUEST_URI what stands before "?", else SCRIPT_NAME and
 * PATH_INFO, decoded already.
 */
struct route_path {
	struct slice pieces[2];
	bool decoded;
};

/*
 * A path on its way along a route; segments are decoded once, into scratch, which has room for
 * them all.
 */
struct route_walk {
	struct slice rest;
	bool decoded; /* they are already */
	char *scratch;
	struct slice name, id; /* of the segment that stands for the object */
};

/* The path that the web server gave, and in *query what stands behind it. */
struct route_path route_path_of(const struct fields *fields, struct slice *query);

/*
 * Makes the path one piece, *whole, in joined where it was two; false where it is longer than ROUTE_PATH_MAX bytes, which
 * is refused as malformed.
 */
bool route_join(const struct route_path *path, char joined[ROUTE_PATH_MAX], struct slice *whole);

/* The route that the path takes, or NULL; walk has the object's id and its name then. */
const struct route *route_find(const struct router *router, struct route_walk *walk);

#endif
