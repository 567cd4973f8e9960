/* SPDX-License-Identifier: MIT */
/* Counts what happens in a process, where another can read it. */
#include "base/metric.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum kind { COUNTER, GAUGE, BUCKET, SUM, COUNT };

#define METRIC(name, kind, family, labels, bound, help) {kind, family, labels, bound, help},

static const struct row {
	enum kind kind;
	const char *family, *labels;
	uint64_t bound; /* microseconds, of a BUCKET */
	const char *help;
} rows[] = {
#include "base/metrics.def"
};

static const char *const types[] = {
    [COUNTER] = "counter", [GAUGE] = "gauge", [BUCKET] = "histogram"};
static const char *const suffixes[] = {
    [COUNTER] = "", [GAUGE] = "", [BUCKET] = "_bucket", [SUM] = "_sum", [COUNT] = "_count"};

static struct metric_counts own;
struct metric_counts *metric_here = &own;

void metric_observe(enum metric first, enum metric sum, uint64_t microseconds)
{
	const struct row *row = &rows[first];

	while (row->bound < microseconds)
		row++;
	metric_add((enum metric)(row - rows), 1);
	metric_add(sum, microseconds);
	metric_add(sum + 1, 1);
}

void metric_add_shared(enum metric metric, uint64_t number)
{
	atomic_fetch_add_explicit(&metric_here->values[metric], number, memory_order_relaxed);
}

int64_t metric_read(const struct metric_counts *counts, enum metric metric)
{
	return (int64_t)atomic_load_explicit(&counts->values[metric], memory_order_relaxed);
}

void metric_close(struct metric_counts *counts)
{
	for (size_t i = 0; i < METRIC_COUNT_OF_ALL; i++)
		if (rows[i].kind == GAUGE)
			atomic_store_explicit(&counts->values[i], 0, memory_order_relaxed);
}

static uint64_t sum_of(const struct metric_counts *const *counts, size_t count, size_t row)
{
	uint64_t all = 0;

	for (size_t i = 0; i < count; i++)
		all += atomic_load_explicit(&counts[i]->values[row], memory_order_relaxed);
	return all;
}

static bool starts_family(size_t row)
{
	return row == 0 || strcmp(rows[row].family, rows[row - 1].family) != 0;
}

static void write_head(struct buffer *text, const struct row *row)
{
	char line[400];

	snprintf(line, sizeof(line), "# HELP %s %s\n# TYPE %s %s\n", row->family, row->help,
	    row->family, types[row->kind]);
	buffer_append_text(text, line);
}

/* A gauge may be below zero for a moment, where one process has counted and another not yet. */
static void write_value(struct buffer *text, const struct row *row, uint64_t value)
{
	const char *open = *row->labels ? "{" : "", *close = *row->labels ? "}" : "";
	char line[300];
	int length = snprintf(line, sizeof(line), "%s%s%s%s%s ", row->family, suffixes[row->kind],
	    open, row->labels, close);

	if (row->kind == SUM)
		snprintf(
		    line + length, sizeof(line) - (size_t)length, "%.6f\n", (double)value / 1e6);
	else
		snprintf(
		    line + length, sizeof(line) - (size_t)length, "%" PRId64 "\n", (int64_t)value);
	buffer_append_text(text, line);
}

void metric_write(struct buffer *text, const struct metric_counts *const *counts, size_t count)
{
	uint64_t below = 0; /* what the buckets before have counted */

	for (size_t i = 0; i < METRIC_COUNT_OF_ALL; i++) {
		uint64_t value = sum_of(counts, count, i);

		if (starts_family(i))
			write_head(text, &rows[i]);
		below = rows[i].kind == BUCKET ? below + value : 0;
		write_value(text, &rows[i], rows[i].kind == BUCKET ? below : value);
	}
}
