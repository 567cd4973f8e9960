/* SPDX-License-Identifier: MIT */
/* Reads a settings file. */
#include "base/option_file.h"

#include "base/option_row.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Our own reader: Debian's libinih splits a line at 200 bytes and cuts a value at " ;" (both seen),
 * and a connection string may be longer and may hold either.
 */
struct reader {
	struct option_loader *loader;
	FILE *file;
	char *line;
	size_t capacity;
	unsigned number;
	char place[512]; /* of the line: "path:number" */
};

static char *trim(char *text)
{
	char *end = text + strlen(text);

	while (end > text && isspace((unsigned char)end[-1]))
		*--end = '\0';
	return text + strspn(text, " \t");
}

static bool refuse_name(struct reader *reader, const char *name)
{
	const struct option_row *meant = option_row_guess(reader->loader->set, name);

	if (strncmp(name, "export ", 7) == 0)
		return option_row_refuse(reader->loader,
		    "%s: a name stands there without \"export\": this is no file of a shell",
		    reader->place);
	if (!option_row_is_name(name))
		return option_row_refuse(
		    reader->loader, "%s: what stands before \"=\" is no name", reader->place);
	if (meant)
		return option_row_refuse(reader->loader,
		    "%s: unknown setting \"%s\"; did you mean \"%s\"?", reader->place, name,
		    meant->name);
	return option_row_refuse(reader->loader, "%s: unknown setting \"%s\"", reader->place, name);
}

/* Where has a value that is not in quotes what looks like a comment behind it? */
static bool has_comment(const char *value)
{
	const char *hash = strchr(value, '#');

	while (hash && hash != value && !isspace((unsigned char)hash[-1]))
		hash = strchr(hash + 1, '#');
	return hash;
}

/* A quote at the end alone is a slip; a connection string may well end in the second one of a pair. */
static bool ends_in_lone_quote(const char *value)
{
	size_t length = strlen(value);
	char last = length ? value[length - 1] : '\0';

	return (last == '"' || last == '\'') && strchr(value, last) == value + length - 1;
}

static bool refuse_quote(struct reader *reader, const struct option_row *row, const char *how)
{
	return option_row_refuse(
	    reader->loader, "%s: the value of %s %s", reader->place, row->name, how);
}

static bool take_value(struct reader *reader, const struct option_row *row, char *value)
{
	struct option_origin *before =
	    &reader->loader->origins->rows[row - reader->loader->set->rows];
	bool quoted = *value == '"' || *value == '\'';

	if (before->source == OPTION_FROM_FILE)
		return option_row_refuse(reader->loader,
		    "%s: %s stands there twice, first in line %u", reader->place, row->name,
		    before->line);
	if (!quoted && has_comment(value))
		return option_row_refuse(reader->loader,
		    "%s: a comment is to stand on a line of its own, and a value with # in quotes",
		    reader->place);
	if (!option_row_unquote(&value))
		return refuse_quote(reader, row, "starts with a quote and does not end with it");
	if (!quoted && ends_in_lone_quote(value))
		return refuse_quote(reader, row, "ends with a quote and does not start with it");
	return option_row_take(reader->loader, row, value,
	    (struct option_origin){OPTION_FROM_FILE, reader->number}, reader->place);
}

/* What people have in files of other programs is named. */
static bool refuse_line(struct reader *reader, const char *line)
{
	const char *hint = "";

	if (*line == '[')
		hint = "; there are no sections";
	else if (*line == ';' || strncmp(line, "//", 2) == 0)
		hint = "; a comment begins with #";
	else if (strchr(line, ':'))
		hint = ", with = and not a colon";
	return option_row_refuse(
	    reader->loader, "%s: a line is to be \"name = value\"%s", reader->place, hint);
}

/* Line ends of old systems, and what is no text, would become a part of a value. */
static bool has_control(const char *line)
{
	while (*line && (!iscntrl((unsigned char)*line) || *line == '\t'))
		line++;
	return *line;
}

static bool take_line(struct reader *reader)
{
	const struct option_row *row;
	char *name = trim(reader->line), *value = strchr(name, '=');

	if (*name == '\0' || *name == '#')
		return true;
	if (has_control(name))
		return option_row_refuse(reader->loader,
		    "%s: the line holds a control character, such as a lone carriage return",
		    reader->place);
	if (!value || *name == '[' || *name == ';')
		return refuse_line(reader, name);
	*value++ = '\0';
	name = trim(name);
	row = option_row_find(reader->loader->set, name);
	return row ? take_value(reader, row, trim(value)) : refuse_name(reader, name);
}

/* Editors of other systems: a byte order mark of UTF-8 is passed over, UTF-16 is named. */
static bool take_first(struct reader *reader)
{
	static const char mark[] = "\xef\xbb\xbf";
	size_t length = strlen(mark);

	if (strncmp(reader->line, "\xff\xfe", 2) == 0 || strncmp(reader->line, "\xfe\xff", 2) == 0)
		return option_row_refuse(
		    reader->loader, "%s: the file is UTF-16, and is to be UTF-8", reader->place);
	if (strncmp(reader->line, mark, length) == 0)
		memmove(reader->line, reader->line + length, strlen(reader->line + length) + 1);
	return true;
}

static bool take_bytes(struct reader *reader, size_t length)
{
	bool whole = strlen(reader->line) == length;

	snprintf(reader->place, sizeof(reader->place), "%s:%u", reader->loader->origins->file,
	    ++reader->number);
	if (reader->number == 1 && !take_first(reader))
		return false;
	if (!whole)
		return option_row_refuse(
		    reader->loader, "%s: the line holds a NUL byte", reader->place);
	return take_line(reader);
}

static bool read_lines(struct reader *reader)
{
	ssize_t length;

	errno = 0;
	while ((length = getline(&reader->line, &reader->capacity, reader->file)) >= 0)
		if (!take_bytes(reader, (size_t)length))
			return false;
	return !ferror(reader->file) ||
	       option_row_refuse(reader->loader, "reading the settings file %s: %s",
		   reader->loader->origins->file, strerror(errno));
}

bool option_file_load(struct option_loader *loader, const char *path)
{
	struct reader reader = {.loader = loader, .file = fopen(path, "re")};
	bool good;

	if (!reader.file)
		return option_row_refuse(
		    loader, "opening the settings file %s: %s", path, strerror(errno));
	loader->origins->file = path;
	good = read_lines(&reader);
	free(reader.line);
	fclose(reader.file);
	return good;
}
