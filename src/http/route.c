/* SPDX-License-Identifier: MIT */
/* Finds the route that a request's path takes; pure. */
#include "http/route.h"

#include <string.h>

/*
 * A client may write a whole URI in the request line (RFC 9112, section 3.2.2), and some web servers
 * hand it on as it came: what follows its authority is the path.
 */
static struct slice without_authority(struct slice uri)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; uri.length && *uri.text != '/' && i < 2; i++) {
		size_t length = strlen(schemes[i]);

		if (uri.length < length ||
		    !slice_equals_ignoring_case((struct slice){uri.text, length}, schemes[i]))
			continue;
		while (length < uri.length && uri.text[length] != '/' && uri.text[length] != '?')
			length++;
		return length < uri.length ? (struct slice){uri.text + length, uri.length - length}
					   : SLICE("/");
	}
	return uri;
}

struct route_path route_path_of(const struct fields *fields, struct slice *query)
{
	struct slice target = without_authority(fields->single[FIELDS_REQUEST_URI]);
	struct route_path path = {
	    .pieces = {fields->single[FIELDS_SCRIPT_NAME], fields->single[FIELDS_PATH_INFO]},
	    .decoded = true};

	*query = fields->single[FIELDS_QUERY_STRING];
	if (!target.length)
		return path; /* RFC 3875, section 4.1: an empty value is none */
	path = (struct route_path){.pieces = {slice_cut(&target, '?')}};
	if (target.text)
		*query = target;
	return path;
}

bool route_join(const struct route_path *path, char joined[ROUTE_PATH_MAX], struct slice *whole)
{
	size_t first = path->pieces[0].length, second = path->pieces[1].length;

	*whole = first ? path->pieces[0] : path->pieces[1];
	if (first > ROUTE_PATH_MAX || second > ROUTE_PATH_MAX - first)
		return false;
	if (!first || !second)
		return true;
	memcpy(joined, path->pieces[0].text, first);
	memcpy(joined + first, path->pieces[1].text, second);
	*whole = (struct slice){joined, first + second};
	return true;
}

static struct slice next_segment(struct route_walk *walk)
{
	struct slice raw = slice_cut(&walk->rest, '/'), segment = raw;

	if (!walk->decoded)
		segment = slice_decode(raw, walk->scratch);
	if (segment.text == walk->scratch)
		walk->scratch += segment.length;
	return segment;
}

/* The id is not empty, and has neither "/" nor "." in it (authentik's routes: [^/.]+). */
static bool match_id(struct route_walk *walk, struct slice expected, struct slice segment)
{
	walk->name = (struct slice){expected.text + 1, expected.length - 2};
	walk->id = segment;
	return segment.length && !memchr(segment.text, '/', segment.length) &&
	       !memchr(segment.text, '.', segment.length);
}

/* Compares the path's next segments with those of a pattern. */
static bool match_segments(struct route_walk *walk, const char *pattern)
{
	struct slice wanted = slice_of(pattern);

	while (wanted.text) {
		struct slice expected = slice_cut(&wanted, '/'), segment;

		if (!walk->rest.text)
			return false;
		segment = next_segment(walk);
		if (*expected.text == '<' ? !match_id(walk, expected, segment)
					  : !slice_is(segment, expected))
			return false;
	}
	return true;
}

const struct route *route_find(const struct router *router, struct route_walk *walk)
{
	const struct route_walk start = *walk;

	for (const struct route *route = router->routes; route->pattern; route++) {
		*walk = start;
		if (match_segments(walk, router->base_path) &&
		    match_segments(walk, route->pattern + 1) && !walk->rest.text)
			return route;
	}
	return NULL;
}
