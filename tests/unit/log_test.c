/* SPDX-License-Identifier: MIT */
/* Bytes of a message in, what a line of the log shows of it out. */
#include "base/log.h"
#include "base/log_line.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yajl/yajl_parse.h>

static char line[200];

static const struct log_event bad = {"bad", LOG_LEVEL_ERROR};
static const struct log_event odd = {"odd", LOG_LEVEL_WARNING};

static const char *format(const char *message, size_t room, bool cut)
{
	size_t length;

	memset(line, '#', sizeof(line));
	length = log_line_show(line, room, message, cut);
	cr_assert(length <= room && line[room] == '#', "%zu of %zu bytes", length, room);
	line[length] = '\0';
	return line;
}

static const char *shown(const char *message)
{
	return format(message, 100, false);
}

Test(log, shows_printable_text_and_utf_8_as_it_is)
{
	static const char *const texts[] = {"", "a", "plain text, \\x41 \"quoted\" ~", "Müller",
	    "\u00a0", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff",
	    "日本語 🔒"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_assert_str_eq(shown(texts[i]), texts[i]);
}

Test(log, escapes_control_characters)
{
	cr_assert_str_eq(shown("a\x01z\x1b[0m\x7f"), "a\\x01z\\x1b[0m\\x7f");
	cr_assert_str_eq(shown("\xc2\x80 \xc2\x9f"), "\\xc2\\x80 \\xc2\\x9f");
}

Test(log, escapes_each_byte_that_is_no_utf_8)
{
	static const char *const texts[][2] = {{"\x80", "\\x80"}, {"\xff z", "\\xff z"},
	    {"\xc3", "\\xc3"}, {"\xc3(", "\\xc3("}, {"\xc0\xaf", "\\xc0\\xaf"},
	    {"\xc1\xbf", "\\xc1\\xbf"}, {"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
	    {"\xed\xa0\x80", "\\xed\\xa0\\x80"}, {"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
	    {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
	    {"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"}, {"\xe2\x82", "\\xe2\\x82"},
	    {"\xe2\x82z", "\\xe2\\x82z"}, {"\xc3\xc3\xbc", "\\xc3ü"}};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		cr_assert_str_eq(shown(texts[i][0]), texts[i][1]);
}

Test(log, folds_white_space_and_drops_it_at_the_ends)
{
	cr_assert_str_eq(shown("ERROR:  no table\nLINE 1:\tselect\r\n\t\v\f  ^\n"),
	    "ERROR: no table LINE 1: select ^");
	cr_assert_str_eq(shown("\n a"), "a");
	cr_assert_str_eq(shown(" \n "), "");
}

Test(log, marks_what_has_no_room)
{
	cr_assert_str_eq(format("abcdef", 6, false), "abcdef");
	cr_assert_str_eq(format("abcdef\n", 6, false), "abcdef");
	cr_assert_str_eq(format("abcdefg", 6, false), "abc...");
	cr_assert_str_eq(format("abcdef g", 6, false), "abc...");
	cr_assert_str_eq(format("a", 3, false), "a");
	cr_assert_str_eq(format("abcd", 3, false), "...");
}

Test(log, cuts_no_character_and_no_escape)
{
	cr_assert_str_eq(format("abüxyz", 6, false), "ab...");
	cr_assert_str_eq(format("a\U0001f512xyz", 7, false), "a...");
	cr_assert_str_eq(format("a\U0001f512xyz", 8, false), "a\U0001f512xyz");
	cr_assert_str_eq(format("a\x01xyz", 7, false), "a...");
	cr_assert_str_eq(format("a\x01xyz1", 8, false), "a\\x01...");
}

Test(log, marks_what_was_cut_before_without_a_broken_character)
{
	cr_assert_str_eq(format("abc", 100, true), "abc...");
	cr_assert_str_eq(format("abc\xc3", 100, true), "abc...");
	cr_assert_str_eq(format("abc\xf0\x9f\x94", 100, true), "abc...");
	cr_assert_str_eq(format("abcü", 100, true), "abcü...");
	cr_assert_str_eq(format("abcde", 5, true), "ab...");
}

Test(log, a_text_is_news_once_until_it_is_forgotten)
{
	cr_assert(log_is_news("one"));
	cr_assert(log_is_news("another"));
	cr_assert_not(log_is_news("one"));
	log_forget("one");
	cr_assert(log_is_news("one"));
	cr_assert_not(log_is_news("another"));
}

Test(log, more_texts_than_there_is_room_for_are_news_all_the_same)
{
	char text[20];

	for (int i = 0; i < 1000; i++) {
		sprintf(text, "text %d", i);
		cr_assert(log_is_news(text));
	}
}

/* What stands in the file at path, which is removed. */
static const char *content(const char *path)
{
	static char text[5000];
	FILE *file = fopen(path, "r");
	size_t length = fread(text, 1, sizeof(text) - 1, file);

	text[length] = '\0';
	fclose(file);
	unlink(path);
	return text;
}

Test(log, goes_to_a_file_and_to_the_one_that_took_its_place)
{
	char path[] = "/tmp/log_test.XXXXXX", moved[] = "/tmp/log_test.XXXXXX";
	struct stat status;

	close(mkstemp(moved));
	close(mkstemp(path));
	unlink(path);
	cr_assert(log_open(path));
	cr_assert(stat(path, &status) == 0 && (status.st_mode & 0777 & ~0640) == 0);
	log_event(&bad, "one");
	rename(path, moved);
	log_event(&bad, "two");
	cr_assert(log_open(path));
	log_event(&bad, "three");
	cr_assert(log_open(""));
	cr_assert_not_null(strstr(content(moved), " one\n"));
	cr_assert_not_null(strstr(content(path), " three\n"));
}

Test(log, stays_where_it_was_if_a_file_cannot_be_opened)
{
	char path[] = "/tmp/log_test.XXXXXX";

	close(mkstemp(path));
	cr_assert(log_open(path));
	cr_assert_not(log_open("/nonexistent/file"));
	log_event(&bad, "one");
	cr_assert(log_open(""));
	cr_assert_not_null(strstr(content(path), " error "));
}

Test(log, writes_json_with_its_escapes)
{
	char path[] = "/tmp/log_test.XXXXXX", expected[200];
	const char *text;

	close(mkstemp(path));
	cr_assert(log_open(path));
	log_set_form(LOG_FORM_JSON);
	log_event(&odd, "a \"quoted\" \\ \x01 ü");
	log_set_form(LOG_FORM_TEXT);
	cr_assert(log_open(""));
	text = content(path);
	snprintf(expected, sizeof(expected),
	    "Z\",\"level\":\"warning\",\"pid\":%d,\"event\":\"odd\",\"message\":\"a \\\"quoted\\\" "
	    "\\\\ \\\\x01 "
	    "ü\"}\n",
	    (int)getpid());
	cr_assert_eq(strncmp(text, "{\"time\":\"2", 10), 0, "%s", text);
	cr_assert_not_null(strstr(text, expected), "%s%s", text, expected);
}

Test(log, an_object_has_the_id_of_a_request_whatever_is_in_it)
{
	char path[] = "/tmp/log_test.XXXXXX";
	const char *text;

	close(mkstemp(path));
	cr_assert(log_open(path));
	log_set_form(LOG_FORM_JSON);
	log_request(&odd, "r\"1\xff", "one");
	log_request(&odd, "", "two");
	log_set_form(LOG_FORM_TEXT);
	log_request(&odd, "r1", "three (request %s)", "r1");
	cr_assert(log_open(""));
	text = content(path);
	cr_assert_not_null(strstr(
	    text, ",\"event\":\"odd\",\"request\":\"r\\\"1\\\\xff\",\"message\":\"one\"}\n"));
	cr_assert_not_null(strstr(text, ",\"event\":\"odd\",\"message\":\"two\"}\n"));
	cr_assert_not_null(strstr(text, " odd three (request r1)\n"));
}

Test(log, a_line_of_text_has_its_level_the_process_and_the_event_before_the_message)
{
	char path[] = "/tmp/log_test.XXXXXX", expected[100];
	const char *text;

	close(mkstemp(path));
	cr_assert(log_open(path));
	log_event(&bad, "one");
	cr_assert(log_open(""));
	text = content(path);
	snprintf(expected, sizeof(expected), "Z error %d bad one\n", (int)getpid());
	cr_assert_eq(strcmp(text + strlen("2000-01-01T00:00:00.000"), expected), 0, "%s", text);
}

Test(log, a_line_that_is_above_the_level_is_left_out)
{
	char path[] = "/tmp/log_test.XXXXXX";

	close(mkstemp(path));
	cr_assert(log_open(path));
	log_set_level(LOG_LEVEL_ERROR);
	log_event(&odd, "one");
	log_set_level(LOG_LEVEL_INFO);
	cr_assert(log_open(""));
	cr_assert_str_eq(content(path), "");
}

Test(log, a_line_of_json_keeps_its_end_and_its_limit_whatever_is_in_it)
{
	char path[] = "/tmp/log_test.XXXXXX", message[5000];
	const char *text;

	memset(message, '"', sizeof(message) - 1);
	message[sizeof(message) - 1] = '\0';
	close(mkstemp(path));
	cr_assert(log_open(path));
	log_set_form(LOG_FORM_JSON);
	log_event(&bad, "%s", message);
	log_set_form(LOG_FORM_TEXT);
	cr_assert(log_open(""));
	text = content(path);
	cr_assert(strlen(text) <= 4096 && strlen(text) > 3900, "%zu", strlen(text));
	cr_assert_str_eq(text + strlen(text) - 6, "...\"}\n");
}

Test(log, a_line_of_json_is_an_object_whatever_bytes_are_in_it)
{
	char message[3000] = "", request[65], text[LOG_LINE_SIZE];
	const struct log_line said = {
	    .level = "error", .id = "bad", .request = request, .message = message};

	srandom(1);
	for (int turn = 0; turn < 20000; turn++) {
		size_t length = (size_t)(random() % (turn % 100 ? 50 : (long)sizeof(message)));
		yajl_handle parser = yajl_alloc(NULL, NULL, NULL);

		for (size_t i = 0; i < length; i++)
			message[i] = (char)(1 + random() % 255);
		message[length] = '\0';
		memcpy(request, message, sizeof(request) - 1);
		request[sizeof(request) - 1] = '\0';
		length = log_line_json(text, &said);
		cr_assert(length < LOG_LINE_SIZE && text[length - 1] == '\n');
		cr_assert_null(memchr(text, '\n', length - 1));
		cr_assert(yajl_parse(parser, (unsigned char *)text, length) == yajl_status_ok &&
			      yajl_complete_parse(parser) == yajl_status_ok,
		    "%.*s", (int)length, text);
		yajl_free(parser);
	}
}
