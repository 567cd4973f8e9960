/* SPDX-License-Identifier: MIT */
/* Keeps a pool: waits for signals, and says what each means. */
#include "pool/supervisor.h"

#include "base/clock.h"
#include "event.h"
#include "pool/announcer.h"
#include "pool/observer.h"
#include "pool/succession.h"
#include "pool/upgrade.h"

#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

static const int signals[] = {SIGCHLD, SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};

enum { READY_LOOK_MS = 5 };

struct supervisor {
	struct succession pool;
	struct upgrade upgrade;
	struct announcer announcer;
	struct observer observer;
	struct settings *settings;
	struct listeners *listeners;
	const struct invocation *invocation;
	int ready; /* where another program waits for the word that this one serves; -1: none does */
	sigset_t watched;
	bool ending, wants_upgrade;
	bool told; /* to end, by a signal */
};

/* One that drains as another program has its place has not been told before. */
static void end(struct supervisor *supervisor, int number)
{
	bool at_once = supervisor->told || number == SIGINT;

	log_event(at_once ? &event_pool_ending : &event_pool_draining, "%s: %s", strsignal(number),
	    at_once ? "ending" : "draining");
	if (!supervisor->ending)
		listener_end(supervisor->listeners);
	upgrade_cancel(&supervisor->upgrade);
	supervisor->ending = supervisor->told = true;
	succession_end(&supervisor->pool, at_once);
}

static void act_on_signal(struct supervisor *supervisor, int number)
{
	if (number == SIGTERM || number == SIGQUIT || number == SIGINT)
		end(supervisor, number);
	else if (supervisor->ending)
		log_event(&event_signal_ignored, "%s: nothing is done, as the pool ends",
		    strsignal(number));
	else if (number == SIGHUP)
		succession_want_reload(&supervisor->pool);
	else if (number == SIGUSR2)
		supervisor->wants_upgrade = true;
	else if (number == SIGUSR1)
		succession_open_log(&supervisor->pool);
}

/* The sockets and their files are the other program's from now on. */
static void give_place(struct supervisor *supervisor)
{
	log_event(&event_upgrade_served, "upgrade: process %d serves: draining",
	    (int)supervisor->upgrade.pid);
	announcer_hand_over(&supervisor->announcer, supervisor->upgrade.pid);
	listener_close(supervisor->listeners);
	supervisor->ending = true;
	succession_end(&supervisor->pool, false);
}

/* A reload that is under way comes first, and one that is asked for meanwhile later. */
static void go_on_with_upgrade(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	if (supervisor->wants_upgrade && !supervisor->ending && upgrade->state == UPGRADE_NONE &&
	    succession_is_settled(&supervisor->pool)) {
		supervisor->wants_upgrade = false;
		upgrade_begin(
		    upgrade, supervisor->invocation, supervisor->listeners, supervisor->settings);
	}
	if (upgrade_look(upgrade) == UPGRADE_SERVES && !supervisor->ending)
		give_place(supervisor);
	supervisor->pool.held = upgrade->state == UPGRADE_STARTED;
}

static void tell_once_ready(struct supervisor *supervisor)
{
	if (supervisor->ready < 0 || !succession_is_ready(&supervisor->pool))
		return;
	upgrade_tell(&supervisor->ready);
	supervisor->pool.site.closed_in_workers = -1;
}

/* One that is to take another's place is not the service's main process before that says so. */
static void announce(struct supervisor *supervisor)
{
	const struct succession *pool = &supervisor->pool;
	enum announcer_state state = supervisor->announcer.state;

	if (supervisor->ending)
		state = ANNOUNCER_STOPPING;
	else if (pool->next && state != ANNOUNCER_STARTING)
		state = ANNOUNCER_RELOADING;
	else if (!pool->next && (state == ANNOUNCER_RELOADING || succession_is_ready(pool)))
		state = ANNOUNCER_READY;
	announcer_tell(&supervisor->announcer, state, atomic_load(&pool->site.board->generation),
	    pool->serving->count);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		if (!upgrade_reap(&supervisor->upgrade, pid, status))
			succession_reap(&supervisor->pool, pid, status);
}

/* Waits for a signal until the next thing is due; 0 where none came. */
static int wait_signal(const struct supervisor *supervisor)
{
	int64_t left = succession_due(&supervisor->pool) - clock_ms();
	struct timespec limit = {0};
	int number;

	if (left > READY_LOOK_MS &&
	    (supervisor->ready >= 0 || supervisor->upgrade.state == UPGRADE_STARTED))
		left = READY_LOOK_MS;
	if (left > 0)
		limit = (struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
	number = sigtimedwait(&supervisor->watched, NULL, &limit);
	return number > 0 ? number : 0;
}

void supervisor_hold_signals(void)
{
	sigset_t held;

	sigemptyset(&held);
	sigaddset(&held, SIGHUP);
	sigaddset(&held, SIGUSR1);
	sigaddset(&held, SIGUSR2);
	sigprocmask(SIG_BLOCK, &held, NULL);
}

/* What is ignored, as a parent may leave it, is never pending: workers would end unseen. */
static void watch_signals(struct supervisor *supervisor)
{
	sigemptyset(&supervisor->watched);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaddset(&supervisor->watched, signals[i]);
	sigprocmask(SIG_BLOCK, &supervisor->watched, NULL);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], SIG_DFL);
}

/* A program that was to take over and does not hear of the end would outlive us, with the listening sockets. */
static bool is_over(const struct supervisor *supervisor)
{
	return succession_is_over(&supervisor->pool) &&
	       supervisor->upgrade.state != UPGRADE_STARTED;
}

static void keep(struct supervisor *supervisor)
{
	while (!is_over(supervisor)) {
		int number;

		succession_go_on(&supervisor->pool);
		tell_once_ready(supervisor);
		go_on_with_upgrade(supervisor);
		announce(supervisor);
		observer_look(&supervisor->observer, &supervisor->pool);
		number = wait_signal(supervisor);
		if (number && number != SIGCHLD)
			act_on_signal(supervisor, number);
		reap(supervisor);
	}
}

int supervisor_run(
    struct settings *settings, struct listeners *listeners, const struct invocation *invocation)
{
	struct supervisor supervisor = {.settings = settings,
	    .listeners = listeners,
	    .invocation = invocation,
	    .ready = invocation->ready,
	    .pool.site.closed_in_workers = invocation->ready};
	bool started = succession_start(&supervisor.pool, settings, listeners, invocation);

	if (started) {
		log_share();
		watch_signals(&supervisor);
		keep(&supervisor);
	} else {
		log_event(&event_memory_short, "starting the pool: no memory");
		listener_end(listeners);
	}
	succession_free(&supervisor.pool);
	return started ? 0 : 1;
}
