/* SPDX-License-Identifier: MIT */
/* Parameters into a struct request, or into the status that refuses it; pure. */
#include "api/request.h"

#include "base/uninitialized.h"

#include <string.h>

/* The parameters that decide; each may come once only, but for Accept, whose fields make one list (RFC
 * 9110, 5.3). */
enum { REQUEST_METHOD, REQUEST_URI, SCRIPT_NAME, PATH_INFO, QUERY_STRING, AUTHORIZATION, SINGLE_COUNT };

static const struct slice single_names[SINGLE_COUNT] = {SLICE("REQUEST_METHOD"), SLICE("REQUEST_URI"),
	SLICE("SCRIPT_NAME"), SLICE("PATH_INFO"), SLICE("QUERY_STRING"), SLICE("HTTP_AUTHORIZATION")};

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

/* Sorts the parameters that decide into *fields. Returns what is wrong with the first that is, or NULL. */
static const char *sort_fields(struct fields *fields, const struct parameter *parameters, size_t count)
{
	const char *fault = NULL;

	*fields = (struct fields){.parameters = parameters, .count = count};
	for (size_t i = 0; i < count; i++) {
		const struct parameter *parameter = &parameters[i];

		if (slice_has_control(name_of(parameter), false) ||
			slice_has_control(value_of(parameter), is_header(parameter)))
			fault = fault ? fault : "A parameter has a control character.";
		for (size_t k = 0; k < SINGLE_COUNT; k++) {
			if (!slice_is(name_of(parameter), single_names[k]))
				continue;
			if (!fields->single[k].text)
				fields->single[k] = value_of(parameter);
			else if (!fault)
				fault = k == AUTHORIZATION ? "There are two Authorization headers."
							   : "A parameter stands there twice.";
		}
	}
	return fault;
}

/* The path's pieces, in order: of REQUEST_URI what stands before "?", else SCRIPT_NAME and PATH_INFO, decoded
 * already. */
struct path {
	struct slice pieces[2];
	bool decoded;
};

static struct path path_of(const struct fields *fields, struct slice *query)
{
	struct slice uri = fields->single[REQUEST_URI], target = uri;
	struct path path = {
		.pieces = {fields->single[SCRIPT_NAME], fields->single[PATH_INFO]}, .decoded = true};

	*query = fields->single[QUERY_STRING];
	if (!uri.text)
		return path;
	path = (struct path){.pieces = {slice_cut(&target, '?')}};
	if (target.text)
		*query = target;
	return path;
}

/* A path of more than REQUEST_PATH_MAX bytes is refused as malformed. Makes it one piece, in joined where it
 * was two. */
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

/* Compares the path's next segments with those of a pattern, each decoded once; *rest is the path behind
 * them. */
static bool match_segments(struct slice *rest, const char *pattern, bool decoded, char *scratch)
{
	struct slice wanted = {pattern, strlen(pattern)};

	while (wanted.text) {
		struct slice segment, expected = slice_cut(&wanted, '/');

		if (!rest->text)
			return false;
		segment = slice_cut(rest, '/');
		if (!decoded)
			segment = slice_decode(segment, scratch);
		if (segment.length != expected.length ||
			(expected.length && memcmp(segment.text, expected.text, expected.length) != 0))
			return false;
	}
	return true;
}

/* The decoded segment that <base_path>/policies/event_matcher/<segment>/ has; false where the path is
 * another. */
static bool match_route(
	struct slice path, const char *base_path, bool decoded, char *scratch, struct slice *segment)
{
	if (!match_segments(&path, base_path, decoded, scratch) ||
		!match_segments(&path, "policies/event_matcher", decoded, scratch) || !path.text)
		return false;
	*segment = slice_cut(&path, '/');
	if (!path.text || path.length)
		return false;
	if (!decoded)
		*segment = slice_decode(*segment, scratch);
	return segment->length && !memchr(segment->text, '/', segment->length) &&
	       !memchr(segment->text, '.', segment->length);
}

/* Of several format parameters the last counts; an empty one counts as absent. */
static bool format_is_json(struct slice query, char *scratch)
{
	bool json = true;

	while (query.text) {
		struct slice value = slice_cut(&query, '&'), name = slice_cut(&value, '=');

		if (name.length > REQUEST_PATH_MAX || !slice_equals(slice_decode(name, scratch), "format"))
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
		struct slice member = slice_cut(&list, ','), type = slice_trim(slice_cut(&member, ';'));

		if (slice_equals(type, "*/*") || slice_equals_ignoring_case(type, "application/*") ||
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

/* authentik/api/authentication.py, validate_auth: the key is all that stands behind the first space. */
static enum status read_key(struct slice authorization, struct slice *key)
{
	struct slice scheme;

	*key = slice_trim(authorization);
	scheme = slice_cut(key, ' ');
	if (!key->text)
		return STATUS_FORBIDDEN;
	if (!slice_equals_ignoring_case(scheme, "bearer"))
		return STATUS_UNSUPPORTED_SCHEME;
	return key->length <= REQUEST_KEY_MAX && is_printable(*key) ? STATUS_OK : STATUS_INVALID_KEY;
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
	return at == UUID_STR_LEN - 1 && strlen(canonical) == at && uuid_parse(canonical, uuid) == 0;
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

/* The checks from the route on, in their order. */
static enum status check(struct request *request, const struct fields *fields, const char *base_path)
{
	UNINITIALIZED char joined[REQUEST_PATH_MAX], scratch[REQUEST_PATH_MAX],
		query_scratch[REQUEST_PATH_MAX];
	struct slice query, whole, segment;
	struct path path = path_of(fields, &query);
	enum status status;

	if (!join_path(&path, joined, &whole)) {
		request->detail = "The path is longer than 8 KiB.";
		return STATUS_MALFORMED;
	}
	if (!match_route(whole, base_path, path.decoded, scratch, &segment))
		return STATUS_NOT_FOUND;
	if (!format_is_json(query, query_scratch))
		return STATUS_NOT_FOUND;
	if (!accepts_json(fields))
		return STATUS_NOT_ACCEPTABLE;
	if (slice_equals(request->method, "OPTIONS"))
		return STATUS_OPTIONS;
	if (!request->head && !slice_equals(request->method, "GET"))
		return STATUS_METHOD_NOT_ALLOWED;
	status = read_key(fields->single[AUTHORIZATION], &request->key);
	if (status != STATUS_OK)
		return status;
	return read_uuid(segment, request->policy) ? STATUS_OK : STATUS_INVALID_UUID;
}

static const char *parameters_fault(enum parameters_status status)
{
	switch (status) {
	case PARAMETERS_TOO_MANY:
		return "There are more than 128 parameters.";
	case PARAMETERS_TOO_LARGE:
		return "The parameters are larger than 64 KiB.";
	case PARAMETERS_MALFORMED:
		return "The parameters are malformed.";
	default:
		return NULL;
	}
}

void request_parse(struct request *request, enum parameters_status parameters_status,
	const struct parameter *parameters, size_t count, const char *base_path)
{
	struct fields fields;

	*request = (struct request){.status = STATUS_MALFORMED};
	request->detail = parameters_fault(parameters_status);
	if (request->detail)
		return;
	request->detail = sort_fields(&fields, parameters, count);
	request->method = fields.single[REQUEST_METHOD];
	request->head = slice_equals(request->method, "HEAD");
	if (request->detail)
		return;
	read_id(request, &fields);
	if (!request->method.length || !is_printable(request->method))
		request->detail = "The request method is no token."; /* RFC 9110, section 9.1 */
	else
		request->status = check(request, &fields, base_path);
}
