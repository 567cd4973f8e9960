/* SPDX-License-Identifier: MIT */
/* Parameters into a struct request, or into the status that refuses it; pure. */
#include "http/request.h"

#include "base/uninitialized.h"

#include <string.h>

/*
 * The parameters that decide. Two files of a web server's configuration may both set one, to the
 * same value; with different values it would be guessed which counts. There may be one Authorization
 * only, and any number of Accept, whose fields make one list (RFC 9110, 5.3).
 */
enum {
	REQUEST_METHOD,
	REQUEST_URI,
	SCRIPT_NAME,
	PATH_INFO,
	QUERY_STRING,
	AUTHORIZATION,
	SINGLE_COUNT
};

static const struct slice single_names[SINGLE_COUNT] = {SLICE("REQUEST_METHOD"),
    SLICE("REQUEST_URI"), SLICE("SCRIPT_NAME"), SLICE("PATH_INFO"), SLICE("QUERY_STRING"),
    SLICE("HTTP_AUTHORIZATION")};

struct fields {
	struct slice single[SINGLE_COUNT];
	const struct parameter *parameters;
	size_t count;
};

static struct slice name_of(const struct parameter *parameter)
{
	return (struct slice){parameter->name, parameter->name_length};
}

static struct slice value_of(const struct parameter *parameter)
{
	return (struct slice){parameter->value, parameter->value_length};
}

/* RFC 3875, sections 4.1.3 and 4.1.18. */
static bool is_header(const struct parameter *parameter)
{
	return (parameter->name_length > 5 && memcmp(parameter->name, "HTTP_", 5) == 0) ||
	       slice_equals(name_of(parameter), "CONTENT_TYPE");
}

static const char *sort_field(struct fields *fields, const struct parameter *parameter)
{
	for (size_t k = 0; k < SINGLE_COUNT; k++) {
		if (!slice_is(name_of(parameter), single_names[k]))
			continue;
		if (fields->single[k].text && k == AUTHORIZATION)
			return "There are two Authorization headers.";
		if (fields->single[k].text && !slice_is(value_of(parameter), fields->single[k]))
			return "A parameter stands there twice with different values.";
		fields->single[k] = value_of(parameter);
	}
	return NULL;
}

/*
 * Sorts the parameters that decide into *fields. Returns what is wrong with the first that is, or
 * NULL.
 */
static const char *sort_fields(struct fields *fields)
{
	const char *first = NULL;

	for (size_t i = 0; i < fields->count; i++) {
		const struct parameter *parameter = &fields->parameters[i];
		const char *fault = sort_field(fields, parameter);

		if (slice_has_control(name_of(parameter), false) ||
		    slice_has_control(value_of(parameter), is_header(parameter)))
			fault = "A parameter has a control character.";
		if (!first)
			first = fault;
	}
	return first;
}

/*
 * The path's pieces, in order: of REQUEST_URI what stands before "?", else SCRIPT_NAME and
 * PATH_INFO, decoded already.
 */
struct path {
	struct slice pieces[2];
	bool decoded;
};

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

static struct path path_of(const struct fields *fields, struct slice *query)
{
	struct slice target = without_authority(fields->single[REQUEST_URI]);
	struct path path = {
	    .pieces = {fields->single[SCRIPT_NAME], fields->single[PATH_INFO]}, .decoded = true};

	*query = fields->single[QUERY_STRING];
	if (!target.length)
		return path; /* RFC 3875, section 4.1: an empty value is none */
	path = (struct path){.pieces = {slice_cut(&target, '?')}};
	if (target.text)
		*query = target;
	return path;
}

/*
 * A path of more than REQUEST_PATH_MAX bytes is refused as malformed. Makes it one piece, in
 * joined where it was two.
 */
static bool join_path(const struct path *path, char joined[REQUEST_PATH_MAX], struct slice *whole)
{
	size_t first = path->pieces[0].length, second = path->pieces[1].length;

	*whole = first ? path->pieces[0] : path->pieces[1];
	if (first > REQUEST_PATH_MAX || second > REQUEST_PATH_MAX - first)
		return false;
	if (!first || !second)
		return true;
	memcpy(joined, path->pieces[0].text, first);
	memcpy(joined + first, path->pieces[1].text, second);
	*whole = (struct slice){joined, first + second};
	return true;
}

/*
 * A path on its way along a route; segments are decoded once, into scratch, which has room for
 * them all.
 */
struct walk {
	struct slice rest;
	bool decoded; /* they are already */
	char *scratch;
	struct slice name, id; /* of the segment that stands for the object */
};

static struct slice next_segment(struct walk *walk)
{
	struct slice raw = slice_cut(&walk->rest, '/'), segment = raw;

	if (!walk->decoded)
		segment = slice_decode(raw, walk->scratch);
	if (segment.text == walk->scratch)
		walk->scratch += segment.length;
	return segment;
}

/* The id is not empty, and has neither "/" nor "." in it (authentik's routes: [^/.]+). */
static bool match_id(struct walk *walk, struct slice expected, struct slice segment)
{
	walk->name = (struct slice){expected.text + 1, expected.length - 2};
	walk->id = segment;
	return segment.length && !memchr(segment.text, '/', segment.length) &&
	       !memchr(segment.text, '.', segment.length);
}

/* Compares the path's next segments with those of a pattern. */
static bool match_segments(struct walk *walk, const char *pattern)
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

/* The route that the path takes, or NULL; walk has the object's id then. */
static const struct request_route *find_route(
    const struct request_router *router, struct walk *walk)
{
	const struct walk start = *walk;

	for (const struct request_route *route = router->routes; route->pattern; route++) {
		*walk = start;
		if (match_segments(walk, router->base_path) &&
		    match_segments(walk, route->pattern + 1) && !walk->rest.text)
			return route;
	}
	return NULL;
}

/* Of several format parameters the last counts; an empty one counts as absent. */
static bool format_is_json(struct slice query, char *scratch)
{
	bool json = true;

	while (query.text) {
		struct slice value = slice_cut(&query, '&'), name = slice_cut(&value, '=');

		if (name.length > REQUEST_PATH_MAX ||
		    !slice_equals(slice_decode(name, scratch), "format"))
			continue;
		json = !value.length || (value.length <= REQUEST_PATH_MAX &&
					    slice_equals(slice_decode(value, scratch), "json"));
	}
	return json;
}

/* RFC 9110, section 12.5.1, as authentik reads it: q is ignored. */
static bool list_accepts_json(struct slice list)
{
	while (list.text) {
		struct slice member = slice_cut(&list, ','),
			     type = slice_trim(slice_cut(&member, ';'));

		if (slice_equals(type, "*/*") ||
		    slice_equals_ignoring_case(type, "application/*") ||
		    slice_equals_ignoring_case(type, "*/json") ||
		    slice_equals_ignoring_case(type, "application/json"))
			return true;
	}
	return false;
}

static bool accepts_json(const struct fields *fields)
{
	bool present = false;

	for (size_t i = 0; i < fields->count; i++) {
		if (!slice_equals(name_of(&fields->parameters[i]), "HTTP_ACCEPT"))
			continue;
		if (list_accepts_json(value_of(&fields->parameters[i])))
			return true;
		present = true;
	}
	return !present;
}

static bool is_printable(struct slice slice)
{
	for (size_t i = 0; i < slice.length; i++)
		if (slice.text[i] < 0x20 || slice.text[i] > 0x7e)
			return false;
	return true;
}

/*
 * authentik/api/authentication.py, validate_auth: the key is all that stands behind the first
 * space.
 */
static enum status read_key(struct slice authorization, struct slice *key)
{
	struct slice scheme;

	*key = slice_trim(authorization);
	scheme = slice_cut(key, ' ');
	if (!key->text)
		return STATUS_FORBIDDEN;
	if (!slice_equals_ignoring_case(scheme, "bearer"))
		return STATUS_UNSUPPORTED_SCHEME;
	return key->length <= REQUEST_KEY_MAX && is_printable(*key) ? STATUS_OK
								    : STATUS_INVALID_KEY;
}

/* Takes off one pair of braces or the prefix, never both. */
static struct slice unwrap(struct slice text)
{
	static const char prefix[] = "urn:uuid:";
	const size_t length = sizeof(prefix) - 1;

	if (text.length > length && memcmp(text.text, prefix, length) == 0)
		return (struct slice){text.text + length, text.length - length};
	if (text.length > 2 && text.text[0] == '{' && text.text[text.length - 1] == '}')
		return (struct slice){text.text + 1, text.length - 2};
	return text;
}

/* 32 hexadecimal digits, bare or with hyphens in the canonical places (RFC 9562, section 4). */
static bool read_uuid(struct slice text, uuid_t uuid)
{
	char canonical[UUID_STR_LEN];
	size_t at = 0;

	text = unwrap(text);
	if (text.length != 32 && text.length != 36)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		bool hyphen_due = at == 8 || at == 13 || at == 18 || at == 23;

		if (text.length == 32 && hyphen_due)
			canonical[at++] = '-';
		canonical[at++] = text.text[i];
	}
	canonical[at] = '\0';
	return at == UUID_STR_LEN - 1 && strlen(canonical) == at &&
	       uuid_parse(canonical, uuid) == 0;
}

static void read_id(struct request *request, const struct fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		struct slice value = value_of(&fields->parameters[i]);

		if (!slice_equals(name_of(&fields->parameters[i]), "HTTP_X_REQUEST_ID"))
			continue;
		if (value.length > REQUEST_ID_MAX)
			value.length = REQUEST_ID_MAX;
		memcpy(request->id, value.text, value.length);
		request->id[value.length] = '\0';
	}
}

static bool is_listed(struct slice method, const char *methods)
{
	struct slice list = slice_of(methods);

	while (list.text)
		if (slice_is(slice_trim(slice_cut(&list, ',')), method))
			return true;
	return false;
}

static enum status check_method(struct slice method, const char *methods)
{
	if (!is_listed(method, methods))
		return STATUS_METHOD_NOT_ALLOWED;
	return slice_equals(method, "OPTIONS") ? STATUS_OPTIONS : STATUS_OK;
}

/* What the route's row has to say: the method, what is done, and to which object. */
static enum status check_route(struct request *request, const struct fields *fields,
    const struct request_route *route, struct walk *walk)
{
	struct slice method = fields->single[REQUEST_METHOD];
	enum status status = check_method(method, route->methods);

	request->detail = (struct status_detail){.text = method, .allow = route->methods};
	if (status != STATUS_OK)
		return status;
	request->operation = route->operation;
	status = read_key(fields->single[AUTHORIZATION], &request->key);
	if (status != STATUS_OK)
		return status;
	if (read_uuid(walk->id, request->object))
		return STATUS_OK;
	request->detail.property = walk->name;
	return STATUS_INVALID_ID;
}

static enum status refuse_malformed(struct request *request, const char *sentence)
{
	request->detail =
	    (struct status_detail){SLICE("non_field_errors"), slice_of(sentence), NULL};
	return STATUS_MALFORMED;
}

/* The checks from the route on, in their order. */
static enum status check(
    struct request *request, const struct fields *fields, const struct request_router *router)
{
	UNINITIALIZED char joined[REQUEST_PATH_MAX], scratch[REQUEST_PATH_MAX],
	    query_scratch[REQUEST_PATH_MAX];
	const struct request_route *route;
	struct slice query, whole;
	struct path path = path_of(fields, &query);
	struct walk walk = {.decoded = path.decoded, .scratch = scratch};

	if (!join_path(&path, joined, &whole))
		return refuse_malformed(request, "The path is longer than 8 KiB.");
	walk.rest = whole;
	route = find_route(router, &walk);
	if (!route && whole.text != joined)
		request->path = whole;
	if (!route || !format_is_json(query, query_scratch))
		return STATUS_NOT_FOUND;
	if (!accepts_json(fields))
		return STATUS_NOT_ACCEPTABLE;
	return check_route(request, fields, route, &walk);
}

/* Indexed by enum parameters_status. */
static const char *const parameters_faults[] = {
    [PARAMETERS_GOOD] = NULL,
    [PARAMETERS_MALFORMED] = "The parameters are malformed.",
    [PARAMETERS_TOO_MANY] = "There are more than 128 parameters.",
    [PARAMETERS_TOO_LARGE] = "The parameters are larger than 64 KiB.",
};

/* What is wrong with the parameters as they are, or NULL; sorts them into *fields. */
static const char *find_fault(struct request *request, struct fields *fields)
{
	const char *fault = sort_fields(fields);
	struct slice method = fields->single[REQUEST_METHOD];

	/* A HEAD that is refused has no body either. */
	request->head = slice_equals(method, "HEAD");
	if (fault)
		return fault;
	read_id(request, fields);
	return method.length && is_printable(method)
		   ? NULL
		   : "The request method is no token."; /* RFC 9110, 9.1 */
}

void request_parse(struct request *request, enum parameters_status parameters_status,
    const struct parameter *parameters, size_t count, const struct request_router *router)
{
	struct fields fields = {.parameters = parameters, .count = count};
	const char *fault = parameters_faults[parameters_status];

	*request = (struct request){0};
	if (!fault)
		fault = find_fault(request, &fields);
	request->status =
	    fault ? refuse_malformed(request, fault) : check(request, &fields, router);
}
