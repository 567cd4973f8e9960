/* SPDX-License-Identifier: MIT */
/* Bytes into FastCGI records and parameters, and records into bytes; pure. */
#ifndef FASTCGI_RECORD_H
#define FASTCGI_RECORD_H

#include "base/buffer.h"
#include "base/parameter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

enum {
	RECORD_HEADER_SIZE = 8,
	RECORD_BEGIN_SIZE = 8 /* the content of FCGI_BEGIN_REQUEST */
};

/*
 * A record's header; type is one of <fastcgi.h>'s FCGI_BEGIN_REQUEST ... FCGI_UNKNOWN_TYPE, or
 * anything.
 */
struct record {
	unsigned type, id;
	size_t content_length, padding_length; /* bytes */
};

/* The content of FCGI_BEGIN_REQUEST. */
struct record_begin {
	unsigned role;
	bool keep_connection;
};

/*
 * Reads a header (FastCGI 1.0, section 3.3). Returns false where its version is not
 * FCGI_VERSION_1.
 */
bool record_decode(struct record *record, const unsigned char header[RECORD_HEADER_SIZE]);

/* Reads the content of FCGI_BEGIN_REQUEST (section 5.1). */
struct record_begin record_decode_begin(const unsigned char content[RECORD_BEGIN_SIZE]);

/*
 * Reads name-value pairs (section 3.4) from length bytes into at most most pairs, and their
 * number into *count. On a status other than PARAMETERS_GOOD, *count is 0. Allocates nothing.
 */
enum parameters_status record_parse_parameters(
    const unsigned char *bytes, size_t length, struct parameter *pairs, size_t most, size_t *count);

/* Appends a name-value pair. */
void record_append_parameter(struct buffer *buffer, const char *name, const char *value);

/* Appends one record of at most 65,535 bytes of content, padded with zeros to a multiple of 8. */
void record_append(
    struct buffer *buffer, unsigned type, unsigned id, const void *content, size_t length);

/*
 * Appends the stream type of request id: the bytes of the parts in as few records as they take,
 * then the empty record that ends a stream.
 */
void record_append_stream(
    struct buffer *buffer, unsigned type, unsigned id, const struct iovec *parts, int count);

/* Appends FCGI_END_REQUEST; protocol_status is FCGI_REQUEST_COMPLETE, FCGI_CANT_MPX_CONN or
 * FCGI_UNKNOWN_ROLE. */
void record_append_end(struct buffer *buffer, unsigned id, unsigned protocol_status);

/* Appends FCGI_UNKNOWN_TYPE (section 4.2), the answer to a management record of that type. */
void record_append_unknown_type(struct buffer *buffer, unsigned type);

#endif
