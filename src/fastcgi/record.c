/* SPDX-License-Identifier: MIT */
/* Bytes into FastCGI records and parameters, and records into bytes; pure. */
#include "fastcgi/record.h"

#include <assert.h>
#include <fastcgi.h>
#include <string.h>

enum { CONTENT_MAX = FCGI_MAX_LENGTH & ~7 }; /* a multiple of 8 needs no padding */

static_assert(RECORD_HEADER_SIZE == FCGI_HEADER_LEN, "the header's size is the protocol's");
static_assert(RECORD_BEGIN_SIZE == sizeof(FCGI_BeginRequestBody), "so is the body's");

static unsigned decode16(unsigned char high, unsigned char low)
{
	return (unsigned)high << 8 | low;
}

bool record_decode(struct record *record, const unsigned char header[RECORD_HEADER_SIZE])
{
	FCGI_Header raw;

	memcpy(&raw, header, sizeof(raw));
	record->type = raw.type;
	record->id = decode16(raw.requestIdB1, raw.requestIdB0);
	record->content_length = decode16(raw.contentLengthB1, raw.contentLengthB0);
	record->padding_length = raw.paddingLength;
	return raw.version == FCGI_VERSION_1;
}

struct record_begin record_decode_begin(const unsigned char content[RECORD_BEGIN_SIZE])
{
	FCGI_BeginRequestBody raw;

	memcpy(&raw, content, sizeof(raw));
	return (struct record_begin){.role = decode16(raw.roleB1, raw.roleB0),
	    .keep_connection = raw.flags & FCGI_KEEP_CONN};
}

/* A length takes one byte up to 127, else four whose first bit is set; moves *at behind it. */
static bool decode_length(const unsigned char **at, const unsigned char *end, size_t *length)
{
	const unsigned char *b = *at;

	if (b == end)
		return false;
	if (b[0] < 0x80) {
		*length = b[0];
		*at += 1;
		return true;
	}
	if (end - b < 4)
		return false;
	*length = (size_t)(b[0] & 0x7f) << 24 | (size_t)b[1] << 16 | (size_t)b[2] << 8 | b[3];
	*at += 4;
	return true;
}

static bool decode_pair(const unsigned char **at, const unsigned char *end, struct parameter *pair)
{
	if (!decode_length(at, end, &pair->name_length) ||
	    !decode_length(at, end, &pair->value_length))
		return false;
	if (pair->name_length > (size_t)(end - *at) ||
	    pair->value_length > (size_t)(end - *at) - pair->name_length)
		return false;
	pair->name = (const char *)*at;
	pair->value = pair->name + pair->name_length;
	*at += pair->name_length + pair->value_length;
	return true;
}

enum parameters_status record_parse_parameters(
    const unsigned char *bytes, size_t length, struct parameter *pairs, size_t most, size_t *count)
{
	const unsigned char *at = bytes, *end;
	size_t found = 0;

	*count = 0;
	if (!length)
		return PARAMETERS_GOOD; /* bytes may be NULL, to which C lets nobody add even 0 */
	end = bytes + length;
	while (at < end) {
		if (found == most)
			return PARAMETERS_TOO_MANY;
		if (!decode_pair(&at, end, &pairs[found]))
			return PARAMETERS_MALFORMED;
		found++;
	}
	*count = found;
	return PARAMETERS_GOOD;
}

static void append_length(struct buffer *buffer, size_t length)
{
	unsigned char bytes[4] = {(unsigned char)(0x80 | length >> 24),
	    (unsigned char)(length >> 16), (unsigned char)(length >> 8), (unsigned char)length};

	assert(length <= 0x7fffffff);
	if (length < 0x80)
		buffer_append(buffer, &bytes[3], 1);
	else
		buffer_append(buffer, bytes, sizeof(bytes));
}

void record_append_parameter(struct buffer *buffer, const char *name, const char *value)
{
	append_length(buffer, strlen(name));
	append_length(buffer, strlen(value));
	buffer_append_text(buffer, name);
	buffer_append_text(buffer, value);
}

static size_t padding(size_t content_length)
{
	return -content_length & 7;
}

static void append_header(struct buffer *buffer, unsigned type, unsigned id, size_t length)
{
	FCGI_Header header = {.version = FCGI_VERSION_1,
	    .type = (unsigned char)type,
	    .requestIdB1 = (unsigned char)(id >> 8),
	    .requestIdB0 = (unsigned char)id,
	    .contentLengthB1 = (unsigned char)(length >> 8),
	    .contentLengthB0 = (unsigned char)length,
	    .paddingLength = (unsigned char)padding(length)};

	assert(length <= FCGI_MAX_LENGTH);
	buffer_append(buffer, &header, sizeof(header));
}

void record_append(
    struct buffer *buffer, unsigned type, unsigned id, const void *content, size_t length)
{
	append_header(buffer, type, id, length);
	buffer_append(buffer, content, length);
	buffer_extend(buffer, padding(length));
}

static size_t total(const struct iovec *parts, int count)
{
	size_t sum = 0;

	for (int i = 0; i < count; i++)
		sum += parts[i].iov_len;
	return sum;
}

/* Appends the next length bytes of the parts; *at is how far the first of them has been taken. */
static const struct iovec *append_parts(
    struct buffer *buffer, const struct iovec *part, size_t *at, size_t length)
{
	while (length) {
		size_t left = part->iov_len - *at, piece = left < length ? left : length;

		buffer_append(buffer, (const char *)part->iov_base + *at, piece);
		*at += piece;
		length -= piece;
		if (*at == part->iov_len) {
			*at = 0;
			part++;
		}
	}
	return part;
}

void record_append_stream(
    struct buffer *buffer, unsigned type, unsigned id, const struct iovec *parts, int count)
{
	size_t left = total(parts, count), at = 0;

	while (left) {
		size_t length = left < CONTENT_MAX ? left : CONTENT_MAX;

		append_header(buffer, type, id, length);
		parts = append_parts(buffer, parts, &at, length);
		buffer_extend(buffer, padding(length));
		left -= length;
	}
	append_header(buffer, type, id, 0);
}

void record_append_end(struct buffer *buffer, unsigned id, unsigned protocol_status)
{
	FCGI_EndRequestBody body = {.protocolStatus = (unsigned char)protocol_status};

	record_append(buffer, FCGI_END_REQUEST, id, &body, sizeof(body));
}

void record_append_unknown_type(struct buffer *buffer, unsigned type)
{
	FCGI_UnknownTypeBody body = {.type = (unsigned char)type};

	record_append(buffer, FCGI_UNKNOWN_TYPE, FCGI_NULL_REQUEST_ID, &body, sizeof(body));
}
