/* SPDX-License-Identifier: MIT */
/* What a check has found: a line each, as text or JSON. */
#ifndef POOL_REPORT_H
#define POOL_REPORT_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* Good; worth to be mended, and served all the same; or in the way of serving. */
enum report_verdict { REPORT_GOOD, REPORT_WARN, REPORT_FAIL };

enum { REPORT_LINES_MAX = 48, REPORT_VALUE_MAX = 2000 };

/* All zero before. */
struct report {
	struct {
		enum report_verdict verdict;
		const char *name, *remedy;
		char value[REPORT_VALUE_MAX];
	} lines[REPORT_LINES_MAX];
	size_t count;
	char fault[REPORT_VALUE_MAX]; /* the first that is in the way; empty: none */
};

/*
 * Notes one finding. The name and the remedy, what to do, outlive the report; the remedy is not shown of what is good.
 * What is REPORT_FAIL is the fault, too, where there was none before.
 */
void report_note(struct report *report, enum report_verdict verdict, const char *name,
    const char *remedy, const char *format, ...) __attribute__((format(printf, 5, 6)));

/*
 * Prints it on stdout, as lines or as one JSON object; of lines the fault is on stderr. Returns the exit code: 0 where
 * nothing is REPORT_FAIL, else 1, as where it cannot be printed.
 */
int report_print(const struct report *report, bool json);

#endif
