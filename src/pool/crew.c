/* SPDX-License-Identifier: MIT */
/* The workers of one generation: started, replaced, watched, drained together. */
#include "pool/crew.h"

#include "base/clock.h"
#include "base/metric.h"
#include "event.h"
#include "pool/configuration.h"
#include "pool/worker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	GRACE_MS = 1000,
	KILL_AGAIN_MS = 100,
	READY_LOOK_MS = 5,
	PROBATION_LOOK_MS = 20,
	REST_MS = 3600000
};

/* What holds between two events. */
static void crew_check(const struct crew *crew)
{
	size_t filled = 0;

	for (size_t i = 0; i < crew->count; i++) {
		const struct seat *seat = &crew->seats[i];

		filled += seat->pid != 0;
		assert(seat->pid >= 0);
		assert((seat->pid != 0) == (seat->slot != NULL));
	}
	assert(filled == crew->alive);
	assert((crew->state == CREW_DRAINING) == (crew->kill_at > 0));
	(void)filled;
}

struct crew *crew_new(const struct crew_site *site, const struct settings *settings,
    const struct listeners *listeners)
{
	struct crew *crew = calloc(1, sizeof(*crew) + settings->workers * sizeof(crew->seats[0]));

	if (!crew)
		return NULL;
	list_init(&crew->node);
	crew->site = site;
	crew->settings = settings;
	crew->listeners = listeners;
	crew->drain_timeout = (int64_t)settings->drain_timeout;
	crew->watchdog_timeout = (int64_t)settings->watchdog_timeout;
	crew->count = settings->workers;
	return crew;
}

void crew_free(struct crew *crew)
{
	assert(!crew || !crew->alive);
	free(crew);
}

/*
 * New settings serve only with the log that they name. A worker of those that serve already goes on with the file that
 * is open, though it may have been removed or be another's meanwhile: a log is no reason to be away.
 */
static bool open_log(const struct crew *crew)
{
	return configuration_open_log(crew->settings) || crew->state == CREW_SERVING;
}

/*
 * Should the supervisor die, its workers drain; one that died before the wish was heard shows as another parent.
 */
static void run_worker(const struct crew *crew, struct scoreboard_slot *slot, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	if (crew->site->closed_in_workers >= 0)
		close(crew->site->closed_in_workers);
	if (crew->listeners != crew->site->listeners)
		listener_close(crew->site->listeners);
	if (!open_log(crew))
		_exit(1);
	metric_here = &slot->counts;
	exit(worker_run(crew->settings, crew->listeners, slot, crew->site->board));
}

static void start_worker(struct crew *crew, struct seat *seat)
{
	struct scoreboard_slot *slot = scoreboard_take(crew->site->board);
	pid_t parent = getpid(), pid = -1;

	errno = EAGAIN;
	if (slot)
		pid = fork();
	if (pid == 0)
		run_worker(crew, slot, parent);
	if (pid > 0) {
		seat_fill(seat, pid, slot);
		crew->alive++;
		return;
	}
	log_event(&event_worker_unstarted, "starting a worker: %s",
	    slot ? strerror(errno) : "too many are still draining");
	scoreboard_leave(slot);
	respawn_ended(&crew->respawn, clock_ms(), clock_ms());
	crew->failed |= crew->state == CREW_STARTING;
}

static bool has_one_on_probation(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++) {
		const struct seat *seat = &crew->seats[i];

		if (seat->pid && respawn_is_on_probation(&crew->respawn, seat->started,
				     atomic_load(&seat->slot->ready), clock_ms()))
			return true;
	}
	return false;
}

static bool may_start(const struct crew *crew)
{
	return clock_ms() >= crew->respawn.due && !has_one_on_probation(crew);
}

void crew_fill(struct crew *crew)
{
	for (size_t i = 0; i < crew->count && crew->state != CREW_DRAINING; i++)
		if (!crew->seats[i].pid && may_start(crew))
			start_worker(crew, &crew->seats[i]);
	crew_check(crew);
}

bool crew_is_ready(const struct crew *crew)
{
	for (size_t i = 0; i < crew->count; i++)
		if (!crew->seats[i].pid || !atomic_load(&crew->seats[i].slot->ready))
			return false;
	return true;
}

void crew_serve(struct crew *crew)
{
	assert(crew->state == CREW_STARTING);
	crew->state = CREW_SERVING;
	crew->failed = false;
}

static enum metric metric_of(int number)
{
	static const struct {
		int number;
		enum metric metric;
	} known[] = {{SIGABRT, METRIC_ENDED_ABRT}, {SIGBUS, METRIC_ENDED_BUS},
	    {SIGKILL, METRIC_ENDED_KILL}, {SIGSEGV, METRIC_ENDED_SEGV}, {SIGSYS, METRIC_ENDED_SYS}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].number == number)
			return known[i].metric;
	return METRIC_ENDED_SIGNAL;
}

/* Why a worker that was to serve has ended; one that was silent by our own signal. */
static enum metric cause_of(const struct seat *seat, int status)
{
	if (seat->silent)
		return METRIC_ENDED_WATCHDOG;
	return WIFSIGNALED(status) ? metric_of(WTERMSIG(status)) : METRIC_ENDED_EXIT;
}

static void report_end(pid_t pid, int status, bool expected)
{
	if (WIFSIGNALED(status))
		log_event(&event_worker_killed, "worker %d was ended by signal %d (%s)", (int)pid,
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) || !expected)
		log_event(&event_worker_failed, "worker %d ended with code %d", (int)pid,
		    WEXITSTATUS(status));
}

bool crew_reap(struct crew *crew, pid_t pid, int status)
{
	for (size_t i = 0; i < crew->count; i++) {
		if (crew->seats[i].pid != pid)
			continue;
		if (crew->state != CREW_DRAINING)
			metric_add(cause_of(&crew->seats[i], status), 1);
		report_end(pid, status, crew->state == CREW_DRAINING);
		respawn_ended(&crew->respawn, crew->seats[i].started, clock_ms());
		seat_empty(&crew->seats[i]);
		crew->alive--;
		crew->failed |= crew->state == CREW_STARTING;
		crew_check(crew);
		return true;
	}
	return false;
}

static void signal_all(const struct crew *crew, int number)
{
	for (size_t i = 0; i < crew->count; i++)
		if (crew->seats[i].pid)
			kill(crew->seats[i].pid, number);
}

/* Signals in a row do not put off the deadline. */
void crew_drain(struct crew *crew, bool at_once)
{
	int64_t kill_at = clock_ms() + GRACE_MS + (at_once ? 0 : crew->drain_timeout);

	if (crew->state != CREW_DRAINING || kill_at < crew->kill_at)
		crew->kill_at = kill_at;
	if (crew->state != CREW_DRAINING || at_once)
		signal_all(crew, at_once ? SIGINT : SIGTERM);
	crew->state = CREW_DRAINING;
	crew_check(crew);
}

/* A stopped worker dies by SIGKILL alone; its end is reaped as any other. */
static void kill_silent(struct crew *crew, int64_t since)
{
	for (size_t i = 0; i < crew->count; i++) {
		struct seat *seat = &crew->seats[i];

		if (!seat_is_silent(seat, crew->watchdog_timeout, since))
			continue;
		log_event(&event_worker_silent,
		    "worker %d gave no sign of life for watchdog_timeout, %" PRId64
		    " ms: it is replaced",
		    (int)seat->pid, crew->watchdog_timeout);
		seat->silent = true;
		kill(seat->pid, SIGKILL);
		scoreboard_beat(seat->slot,
		    clock_ms()); /* one in an uninterruptible call is not killed at each look */
	}
}

/* A process in an uninterruptible call dies only after that: it is not waited for in a busy loop. */
void crew_watch(struct crew *crew, int64_t since)
{
	if (crew->state == CREW_DRAINING && clock_ms() >= crew->kill_at) {
		signal_all(crew, SIGKILL);
		crew->kill_at = clock_ms() + KILL_AGAIN_MS;
	} else if (crew->watchdog_timeout)
		kill_silent(crew, since);
	crew_check(crew);
}

/* When an empty seat may be filled, or whether it may is to be looked at again. */
static int64_t fill_due(const struct crew *crew)
{
	if (crew->alive == crew->count)
		return clock_ms() + REST_MS;
	return has_one_on_probation(crew) ? clock_ms() + PROBATION_LOOK_MS : crew->respawn.due;
}

int64_t crew_due(const struct crew *crew)
{
	int64_t due = crew->state == CREW_DRAINING ? crew->kill_at : fill_due(crew);

	if (crew->state == CREW_STARTING && due > clock_ms() + READY_LOOK_MS)
		due = clock_ms() + READY_LOOK_MS;
	return due;
}
