/* SPDX-License-Identifier: MIT */
/* Bytes of a message in, what a line of the log shows of it out. */
#include "base/log.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char line[200];

static const char *format(const char *message, size_t room, bool cut)
{
	size_t length;

	memset(line, '#', sizeof(line));
	length = log_format(line, room, message, cut);
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
