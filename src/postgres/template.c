/* SPDX-License-Identifier: MIT */
/* Fills in the variables of an SQL text, in the forms that psql has for them. */
#include "postgres/template.h"

#include <ctype.h>
#include <string.h>

/* The variable that text names between quotes of that kind (NUL: none), or NULL. */
static const struct template_variable *find_variable(
    const struct template_variable *variables, const char *text, char quote)
{
	for (; variables->name; variables++) {
		size_t length = strlen(variables->name);
		char after;

		if (strncmp(text, variables->name, length) != 0)
			continue;
		after = text[length];
		if (quote ? after == quote : !isalnum((unsigned char)after) && after != '_')
			return variables;
	}
	return NULL;
}

static bool append_value(struct buffer *to, const char *value, char quote, PGconn *pg)
{
	char *quoted;

	if (!quote) {
		buffer_append_text(to, value);
		return true;
	}
	quoted = quote == '"' ? PQescapeIdentifier(pg, value, strlen(value))
			      : PQescapeLiteral(pg, value, strlen(value));
	if (!quoted)
		return false;
	buffer_append_text(to, quoted);
	PQfreemem(quoted);
	return true;
}

bool template_fill(
    struct buffer *to, const char *text, const struct template_variable *variables, PGconn *pg)
{
	const struct template_variable *variable;
	const char *colon;

	while ((colon = strchr(text, ':'))) {
		char quote = colon[1] == '"' || colon[1] == '\'' ? colon[1] : '\0';
		const char *name = colon + 1 + (quote != '\0');

		variable = find_variable(variables, name, quote);
		buffer_append(to, text, (size_t)(colon - text) + !variable);
		text = colon + 1;
		if (!variable)
			continue;
		if (!append_value(to, variable->value, quote, pg))
			return false;
		text = name + strlen(variable->name) + (quote != '\0');
	}
	buffer_append(to, text, strlen(text) + 1);
	return !to->failed;
}
