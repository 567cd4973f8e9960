/* SPDX-License-Identifier: MIT */
/* Records and parameters are read and written as FastCGI 1.0 has them, byte for byte. */
#include "fastcgi/record.h"

#include <criterion/criterion.h>
#include <fastcgi.h>
#include <string.h>

#define BYTES(text) ((const unsigned char *)(text)), (sizeof(text) - 1)

static enum parameters_status parse(
    const unsigned char *bytes, size_t length, struct parameter *pairs, size_t *count)
{
	return record_parse_parameters(bytes, length, pairs, 4, count);
}

static void assert_bytes(struct buffer *buffer, const unsigned char *bytes, size_t length)
{
	cr_assert_eq(buffer->length, length, "%zu bytes, not %zu", buffer->length, length);
	cr_assert_arr_eq(buffer->data, bytes, length);
	buffer_free(buffer);
}

Test(record, a_header_is_read_big_endian)
{
	struct record record;

	cr_assert(
	    record_decode(&record, (const unsigned char *)"\x01\x04\x12\x34\xab\xcd\x07\xff"));
	cr_assert_eq(record.type, FCGI_PARAMS);
	cr_assert_eq(record.id, 0x1234);
	cr_assert_eq(record.content_length, 0xabcd);
	cr_assert_eq(record.padding_length, 7);
}

Test(record, a_header_of_another_version_is_refused)
{
	struct record record;

	cr_assert(!record_decode(&record, (const unsigned char *)"\x02\x04\0\x01\0\0\0\0"));
	cr_assert(!record_decode(&record, (const unsigned char *)"\0\0\0\0\0\0\0\0"));
}

Test(record, begin_tells_role_and_keep_conn)
{
	struct record_begin kept =
	    record_decode_begin((const unsigned char *)"\0\x01\x01\0\0\0\0\0");
	struct record_begin other =
	    record_decode_begin((const unsigned char *)"\x01\x02\xfe\0\0\0\0\0");

	cr_assert(kept.role == FCGI_RESPONDER && kept.keep_connection);
	cr_assert(other.role == 0x102 && !other.keep_connection);
}

Test(parameters, short_and_long_lengths_are_read)
{
	struct parameter pairs[4];
	size_t count;

	cr_assert_eq(parse(BYTES("\x02\x03"
				 "AAbbb"
				 "\x80\0\0\x01\0"
				 "C"
				 "\0\0"),
			 pairs, &count),
	    PARAMETERS_GOOD);
	cr_assert_eq(count, 3);
	cr_assert(pairs[0].name_length == 2 && memcmp(pairs[0].name, "AA", 2) == 0);
	cr_assert(pairs[0].value_length == 3 && memcmp(pairs[0].value, "bbb", 3) == 0);
	cr_assert(pairs[1].name_length == 1 && *pairs[1].name == 'C' && pairs[1].value_length == 0);
	cr_assert(pairs[2].name_length == 0 && pairs[2].value_length == 0);
}

Test(parameters, none_are_good)
{
	struct parameter pairs[4];
	size_t count = 9;

	cr_assert_eq(parse(NULL, 0, pairs, &count), PARAMETERS_GOOD);
	cr_assert_eq(count, 0);
}

Test(parameters, a_length_beyond_the_end_is_malformed)
{
	struct parameter pairs[4];
	size_t count;

	cr_assert_eq(parse(BYTES("\x01"), pairs, &count), PARAMETERS_MALFORMED);
	cr_assert_eq(parse(BYTES("\x01\x01"
				 "A"),
			 pairs, &count),
	    PARAMETERS_MALFORMED);
	cr_assert_eq(parse(BYTES("\x80"), pairs, &count), PARAMETERS_MALFORMED);
	cr_assert_eq(parse(BYTES("\x01\x80\0\0"), pairs, &count), PARAMETERS_MALFORMED);
	cr_assert_eq(parse(BYTES("\xff\xff\xff\xf0\xff\xff\xff\xf0"
				 "AAAA"),
			 pairs, &count),
	    PARAMETERS_MALFORMED);
	cr_assert_eq(parse(BYTES("\xbf\xff\xff\xff\x01"
				 "AA"),
			 pairs, &count),
	    PARAMETERS_MALFORMED);
	cr_assert_eq(count, 0);
}

Test(parameters, more_than_there_is_room_for_are_too_many)
{
	struct parameter pairs[4];
	size_t count;

	cr_assert_eq(parse(BYTES("\0\0\0\0\0\0\0\0"), pairs, &count), PARAMETERS_GOOD);
	cr_assert_eq(parse(BYTES("\0\0\0\0\0\0\0\0\0\0"), pairs, &count), PARAMETERS_TOO_MANY);
}

Test(parameters, a_pair_is_written_as_it_is_read)
{
	struct buffer buffer = {0};
	struct parameter pairs[4];
	char value[201];
	size_t count;

	memset(value, 'v', 200);
	value[200] = '\0';
	record_append_parameter(&buffer, "NAME", value);
	cr_assert_arr_eq(buffer.data, "\x04\x80\0\0\xc8NAMEv", 10);
	cr_assert_eq(parse(buffer.data, buffer.length, pairs, &count), PARAMETERS_GOOD);
	cr_assert(count == 1 && pairs[0].value_length == 200);
	buffer_free(&buffer);
}

Test(record, content_is_padded_with_zeros_to_eight)
{
	struct buffer buffer = {0};

	record_append(&buffer, FCGI_STDOUT, 0x102, "abc", 3);
	assert_bytes(&buffer, BYTES("\x01\x06\x01\x02\0\x03\x05\0"
				    "abc\0\0\0\0\0"));
}

Test(record, a_stream_is_one_record_and_the_empty_one)
{
	struct buffer buffer = {0};
	char text[] = "abcdefgh";
	struct iovec parts[] = {{text, 2}, {text, 0}, {text + 2, 6}};

	record_append_stream(&buffer, FCGI_STDOUT, 1, parts, 3);
	assert_bytes(&buffer, BYTES("\x01\x06\0\x01\0\x08\0\0"
				    "abcdefgh"
				    "\x01\x06\0\x01\0\0\0\0"));
}

Test(record, an_empty_stream_is_the_empty_record)
{
	struct buffer buffer = {0};

	record_append_stream(&buffer, FCGI_STDOUT, 1, NULL, 0);
	assert_bytes(&buffer, BYTES("\x01\x06\0\x01\0\0\0\0"));
}

Test(record, a_long_stream_is_cut_at_65528_bytes_wherever_its_parts_end)
{
	static char bytes[70000];
	struct buffer buffer = {0};
	struct iovec parts[] = {{bytes, 10}, {bytes + 10, 69990}};
	struct record record;

	memset(bytes, 'x', sizeof(bytes));
	record_append_stream(&buffer, FCGI_STDOUT, 1, parts, 2);
	cr_assert(record_decode(&record, buffer.data));
	cr_assert(record.content_length == 65528 && record.padding_length == 0);
	cr_assert(record_decode(&record, buffer.data + 8 + 65528));
	cr_assert(record.content_length == 4472 && record.padding_length == 0);
	cr_assert_eq(buffer.length, 8 + 65528 + 8 + 4472 + 8);
	buffer_free(&buffer);
}

Test(record, the_end_of_a_request_tells_its_protocol_status)
{
	struct buffer buffer = {0};

	record_append_end(&buffer, 7, FCGI_UNKNOWN_ROLE);
	assert_bytes(&buffer, BYTES("\x01\x03\0\x07\0\x08\0\0"
				    "\0\0\0\0\x03\0\0\0"));
}

Test(record, an_unknown_type_is_named)
{
	struct buffer buffer = {0};

	record_append_unknown_type(&buffer, 77);
	assert_bytes(&buffer, BYTES("\x01\x0b\0\0\0\x08\0\0"
				    "\x4d\0\0\0\0\0\0\0"));
}
