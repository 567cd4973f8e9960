/* SPDX-License-Identifier: MIT */
/* What the supervisor sees of its pool from outside, for the metrics: queues, memory. */
#include "pool/observer.h"

#include "base/clock.h"
#include "base/metric.h"
#include "fastcgi/backlog.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { LOOK_MS = 1000 };

/* The one that is the nearest to its limit. */
static void look_at_queues(const struct listeners *listeners)
{
	struct backlog fullest = {0, 0}, one;

	for (size_t i = 0; i < listeners->count; i++)
		if (backlog_look(listeners->all[i].descriptor, &one) &&
		    (!fullest.limit || (uint64_t)one.waiting * fullest.limit >
					   (uint64_t)fullest.waiting * one.limit))
			fullest = one;
	if (!fullest.limit)
		return;
	metric_know(METRIC_LISTEN_QUEUE, fullest.waiting);
	metric_know(METRIC_LISTEN_LIMIT, fullest.limit);
}

/* The second number of /proc/PID/statm, in bytes; 0 where there is none. */
static uint64_t resident(pid_t pid)
{
	char path[40], text[100];
	uint64_t pages;
	ssize_t length;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return 0;
	length = read(file, text, sizeof(text) - 1);
	close(file);
	text[length > 0 ? length : 0] = '\0';
	return sscanf(text, "%*u %" SCNu64, &pages) == 1 ? pages * (uint64_t)sysconf(_SC_PAGESIZE)
							 : 0;
}

static uint64_t resident_of(const struct crew *crew)
{
	uint64_t sum = 0;

	for (size_t i = 0; crew && i < crew->count; i++)
		if (crew->seats[i].pid)
			sum += resident(crew->seats[i].pid);
	return sum;
}

static void look_at_memory(const struct succession *pool)
{
	uint64_t own = resident(getpid()), sum = resident_of(pool->serving);

	sum += resident_of(pool->next);
	for (struct list *node = pool->draining.next; node != &pool->draining; node = node->next)
		sum += resident_of(list_entry(node, struct crew, node));
	if (!own)
		return;
	metric_know(METRIC_MEMORY_SUPERVISOR, own);
	metric_know(METRIC_MEMORY_WORKERS, sum);
}

void observer_look(struct observer *observer, const struct succession *pool)
{
	if (observer->looked && clock_ms() < observer->looked + LOOK_MS)
		return;
	observer->looked = clock_ms();
	look_at_queues(pool->listeners);
	look_at_memory(pool);
}
