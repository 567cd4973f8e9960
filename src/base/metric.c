/* SPDX-License-Identifier: MIT */
/* Counts what happens in a process, where another can read it. */
#include "base/metric.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum kind { COUNTER, GAUGE, FLAG, KNOWN, BUCKET, TIME_SUM, SIZE_SUM };

enum { TIME_BOUNDS = 14, SIZE_BOUNDS = 7, OCTAVES = 22 };

enum { ABOUT_ALL = -1 };

#define METRIC(name, kind, family, labels, help) {kind, family, labels, help, ABOUT_ALL},
#define METRIC_AT(place, name, kind, family, labels, help) {kind, family, labels, help, place},

static const struct row {
	enum kind kind;
	const char *family, *labels, *help;
	int host; /* its place in metric_hosts, or ABOUT_ALL */
} rows[] = {
#include "base/metrics.def"
};

static const char *const types[] = {[COUNTER] = "counter",
    [GAUGE] = "gauge",
    [FLAG] = "gauge",
    [KNOWN] = "gauge",
    [BUCKET] = "histogram"};
static const char *const suffixes[] = {[COUNTER] = "",
    [GAUGE] = "",
    [FLAG] = "",
    [KNOWN] = "",
    [BUCKET] = "_bucket",
    [TIME_SUM] = "_sum",
    [SIZE_SUM] = "_sum"};

static struct metric_counts own;
struct metric_counts *metric_here = &own;
static struct metric_hosts own_hosts;
struct metric_hosts *metric_hosts = &own_hosts;

/* The bits that a number takes. */
static unsigned bits(uint64_t number)
{
	return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

/* One bound at most lies in each octave, so that a number's length and one comparison find its bucket. */
void metric_observe_time(enum metric first, uint64_t microseconds)
{
	static const uint32_t bounds[TIME_BOUNDS + 1] = {100, 250, 500, 1000, 2500, 5000, 10000,
	    25000, 50000, 100000, 250000, 500000, 1000000, 2000000, UINT32_MAX};
	static const unsigned char places[OCTAVES] = {
	    0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
	unsigned octave = bits(microseconds), place = TIME_BOUNDS;

	if (octave < OCTAVES) {
		place = places[octave];
		place += microseconds > bounds[place];
	}
	metric_add(first + place, 1);
	metric_add(first + TIME_BOUNDS + 1, microseconds);
}

void metric_observe_size(enum metric first, uint64_t size)
{
	unsigned place = size ? bits(size - 1) : 0;

	metric_add(first + (place < SIZE_BOUNDS ? place : SIZE_BOUNDS), 1);
	metric_add(first + SIZE_BOUNDS + 1, size);
}

void metric_add_shared(enum metric metric, uint64_t number)
{
	atomic_fetch_add_explicit(&metric_here->values[metric], number, memory_order_relaxed);
}

int64_t metric_read(const struct metric_counts *counts, enum metric metric)
{
	return (int64_t)atomic_load_explicit(&counts->values[metric], memory_order_relaxed);
}

int64_t metric_read_hosts(const struct metric_counts *counts, enum metric first)
{
	int64_t all = 0;

	for (unsigned i = 0; i <= METRIC_HOSTS; i++)
		all += metric_read(counts, first + i);
	return all;
}

unsigned metric_host_find(const char *name)
{
	unsigned place = 0;

	while (place < metric_hosts->count &&
	       strncmp(metric_hosts->names[place], name, METRIC_HOST_MAX - 1) != 0)
		place++;
	return place < metric_hosts->count ? place : METRIC_HOSTS;
}

void metric_host_add(const char *name)
{
	if (metric_host_find(name) < METRIC_HOSTS || metric_hosts->count == METRIC_HOSTS)
		return;
	snprintf(metric_hosts->names[metric_hosts->count++], METRIC_HOST_MAX, "%s", name);
}

void metric_close(struct metric_counts *counts)
{
	for (size_t i = 0; i < METRIC_COUNT_OF_ALL; i++)
		if (rows[i].kind == GAUGE || rows[i].kind == FLAG || rows[i].kind == KNOWN)
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

/* Is the row about nobody, or not known? */
static bool is_vacant(const struct row *row, uint64_t value)
{
	if (row->kind == KNOWN)
		return !value;
	return row->host != ABOUT_ALL && !value && (unsigned)row->host >= metric_hosts->count;
}

/* As the text format wants a label's value. */
static void write_host(struct buffer *text, unsigned place)
{
	const char *name = place < metric_hosts->count ? metric_hosts->names[place] : "others";

	buffer_append_text(text, "host=\"");
	for (; *name; name++) {
		if (*name == '"' || *name == '\\')
			buffer_append_text(text, "\\");
		buffer_append(text, *name == '\n' ? " " : name, 1);
	}
	buffer_append_text(text, "\"");
}

static void write_labels(struct buffer *text, const struct row *row)
{
	if (!*row->labels)
		return;
	buffer_append_text(text, "{");
	if (row->host != ABOUT_ALL) {
		write_host(text, (unsigned)row->host);
		buffer_append_text(text, ",");
	}
	buffer_append_text(text, row->labels);
	buffer_append_text(text, "}");
}

/* A gauge may be below zero for a moment, where one process has counted and another not yet. */
static void write_value(struct buffer *text, const struct row *row, uint64_t value)
{
	char number[40];

	if (row->kind == TIME_SUM)
		snprintf(number, sizeof(number), " %.6f\n", (double)value / 1e6);
	else if (row->kind == FLAG)
		snprintf(number, sizeof(number), " %d\n", (int64_t)value > 0);
	else
		snprintf(number, sizeof(number), " %" PRId64 "\n",
		    (int64_t)value - (row->kind == KNOWN));
	buffer_append_text(text, row->family);
	buffer_append_text(text, suffixes[row->kind]);
	write_labels(text, row);
	buffer_append_text(text, number);
}

/* How many a histogram has counted is what its buckets have. */
static void write_count(struct buffer *text, const struct row *row, uint64_t count)
{
	char line[200];

	snprintf(line, sizeof(line), "%s_count %" PRIu64 "\n", row->family, count);
	buffer_append_text(text, line);
}

void metric_write(struct buffer *text, const struct metric_counts *const *counts, size_t count)
{
	uint64_t below = 0; /* what the buckets up to here have counted */

	for (size_t i = 0; i < METRIC_COUNT_OF_ALL; i++) {
		enum kind kind = rows[i].kind;
		uint64_t value = sum_of(counts, count, i);

		if (starts_family(i)) {
			write_head(text, &rows[i]);
			below = 0;
		}
		below += value;
		if (!is_vacant(&rows[i], value))
			write_value(text, &rows[i], kind == BUCKET ? below : value);
		if (kind == TIME_SUM || kind == SIZE_SUM)
			write_count(text, &rows[i], below - value);
	}
}
