/* SPDX-License-Identifier: MIT */
/* Parameters into a struct request, or into the status that refuses it; pure. */
#include "http/request.h"

#include "base/uninitialized.h"
#include "http/fields.h"

#include <string.h>

/* Of several format parameters the last counts; an empty one counts as absent. */
static bool format_is_json(struct slice query, char *scratch)
{
	bool json = true;

	while (query.text) {
		struct slice value = slice_cut(&query, '&'), name = slice_cut(&value, '=');

		if (name.length > ROUTE_PATH_MAX ||
		    !slice_equals(slice_decode(name, scratch), "format"))
			continue;
		json = !value.length || (value.length <= ROUTE_PATH_MAX &&
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
		if (!slice_equals(fields_name(&fields->parameters[i]), "HTTP_ACCEPT"))
			continue;
		if (list_accepts_json(fields_value(&fields->parameters[i])))
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
		struct slice value = fields_value(&fields->parameters[i]);

		if (!slice_equals(fields_name(&fields->parameters[i]), "HTTP_X_REQUEST_ID"))
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
    const struct route *route, struct route_walk *walk)
{
	struct slice method = fields->single[FIELDS_REQUEST_METHOD];
	enum status status = check_method(method, route->methods);

	request->detail = (struct status_detail){.text = method, .allow = route->methods};
	if (status != STATUS_OK)
		return status;
	request->operation = route->operation;
	request->keyless = !fields->single[FIELDS_AUTHORIZATION].length;
	status = read_key(fields->single[FIELDS_AUTHORIZATION], &request->key);
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
    struct request *request, const struct fields *fields, const struct router *router)
{
	UNINITIALIZED char joined[ROUTE_PATH_MAX], scratch[ROUTE_PATH_MAX],
	    query_scratch[ROUTE_PATH_MAX];
	const struct route *route;
	struct slice query, whole;
	struct route_path path = route_path_of(fields, &query);
	struct route_walk walk = {.decoded = path.decoded, .scratch = scratch};

	if (!route_join(&path, joined, &whole))
		return refuse_malformed(request, "The path is longer than 8 KiB.");
	walk.rest = whole;
	route = route_find(router, &walk);
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
	const char *fault = fields_sort(fields);
	struct slice method = fields->single[FIELDS_REQUEST_METHOD];

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
    const struct parameter *parameters, size_t count, const struct router *router)
{
	struct fields fields = {.parameters = parameters, .count = count};
	const char *fault = parameters_faults[parameters_status];

	*request = (struct request){0};
	if (!fault)
		fault = find_fault(request, &fields);
	request->status =
	    fault ? refuse_malformed(request, fault) : check(request, &fields, router);
}
