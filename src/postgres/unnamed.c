/* SPDX-License-Identifier: MIT */
/* What a batch brings along where a pooler lends its sessions to others as well. */
#include "postgres/unnamed.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static bool keep(struct buffer *kept, const struct buffer *text)
{
	assert(!kept->data);
	buffer_append(kept, text->data, text->length);
	return !kept->failed;
}

bool unnamed_keep_setting(struct unnamed *unnamed, const struct buffer *text)
{
	assert(unnamed->settings_count < UNNAMED_SETTINGS);
	return keep(&unnamed->settings[unnamed->settings_count++], text);
}

bool unnamed_keep_statement(struct unnamed *unnamed, const struct buffer *text)
{
	assert(unnamed->texts_count < UNNAMED_STATEMENTS);
	return keep(&unnamed->texts[unnamed->texts_count++], text);
}

bool unnamed_send_settings(const struct unnamed *unnamed, PGconn *connection)
{
	for (unsigned i = 0; i < unnamed->settings_count; i++)
		if (!PQsendQueryParams(connection, (const char *)unnamed->settings[i].data, 0, NULL,
			NULL, NULL, NULL, 0))
			return false;
	return true;
}

static struct prepared find(const struct unnamed *unnamed, const char *name)
{
	struct prepared statement;
	unsigned i = 0;

	do {
		assert(i < unnamed->texts_count);
		statement = prepared_read((const char *)unnamed->texts[i++].data);
	} while (strcmp(statement.name, name) != 0);
	return statement;
}

bool unnamed_send(const struct unnamed *unnamed, const char *name, PGconn *connection,
    const char *const values[], const int lengths[], const int formats[])
{
	struct prepared statement = find(unnamed, name);

	return PQsendQueryParams(connection, statement.body, statement.count, statement.types,
	    values, lengths, formats, 0);
}

void unnamed_free(struct unnamed *unnamed)
{
	if (!unnamed)
		return;
	for (int i = 0; i < UNNAMED_SETTINGS; i++)
		buffer_free(&unnamed->settings[i]);
	for (int i = 0; i < UNNAMED_STATEMENTS; i++)
		buffer_free(&unnamed->texts[i]);
	free(unnamed);
}
