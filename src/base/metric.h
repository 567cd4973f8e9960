/* SPDX-License-Identifier: MIT */
/* Counts what happens in a process, where another can read it. */
#ifndef BASE_METRIC_H
#define BASE_METRIC_H

#include "base/buffer.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define METRIC(name, ...) METRIC_##name,
enum metric {
#include "base/metrics.def"
	METRIC_COUNT_OF_ALL
};
#undef METRIC

/* One process's counts, which it alone writes; each stands for itself. */
struct metric_counts {
	_Alignas(64) _Atomic uint64_t values[METRIC_COUNT_OF_ALL];
};

enum { METRIC_HOSTS = 8, METRIC_HOST_MAX = 128 };

/*
 * The servers that rows of HOSTS are about; names[0 .. count) do not change any more. Each process has its own, and those
 * of a pool begin with the supervisor's: in memory that workers share, one could lead the others astray (CVE-2021-21703).
 */
struct metric_hosts {
	unsigned count;
	char names[METRIC_HOSTS][METRIC_HOST_MAX];
};

/* Where this process finds them. */
extern struct metric_hosts *metric_hosts;

/* Adds a server by the name that its rows have as their label, unless it is there; a ninth one is among the others. */
void metric_host_add(const char *name);

/* The place of a server, to be added to the first of its rows of HOSTS; METRIC_HOSTS for the others. */
unsigned metric_host_find(const char *name);

/* Where this process counts; at first in memory of its own. Not for concurrent use with the others. */
extern struct metric_counts *metric_here;

/* Counts that much more of it, or, with what is negative in two's complement, less. By one thread only. */
static inline void metric_add(enum metric metric, uint64_t number)
{
	_Atomic uint64_t *value = &metric_here->values[metric];

	/* Without a lock: nobody else writes, and a reader sees the one or the other. */
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + number,
	    memory_order_relaxed);
}

/* The value of a GAUGE from now on. */
static inline void metric_set(enum metric metric, uint64_t value)
{
	atomic_store_explicit(&metric_here->values[metric], value, memory_order_relaxed);
}

/* The same of one that is KNOWN, by one process of the pool only. */
static inline void metric_know(enum metric metric, uint64_t value)
{
	metric_set(metric, value + 1);
}

/* As metric_add from any thread, of a metric that is never counted otherwise. */
void metric_add_shared(enum metric metric, uint64_t number);

/* What it has counted so far; of a gauge, what is. */
int64_t metric_read(const struct metric_counts *counts, enum metric metric);

/* The same, over all servers that the rows of HOSTS from first on are about. */
int64_t metric_read_hosts(const struct metric_counts *counts, enum metric first);

/* The process that counted has ended: its gauges are 0. */
void metric_close(struct metric_counts *counts);

/* Counts a duration in the histogram of TIMES whose first row is first. */
void metric_observe_time(enum metric first, uint64_t microseconds);

/* Counts a number in the histogram of SIZES whose first row is first. */
void metric_observe_size(enum metric first, uint64_t size);

/*
 * Appends the sum over count processes' counts in Prometheus' text format (exposition format 0.0.4).
 * Without memory text->failed is set.
 */
void metric_write(struct buffer *text, const struct metric_counts *const *counts, size_t count);

#endif
