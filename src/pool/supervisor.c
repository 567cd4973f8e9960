/* SPDX-License-Identifier: MIT */
/* Starts the workers, replaces one that dies with growing delay, and drains them. */
#include "pool/supervisor.h"

#include "base/log.h"
#include "fastcgi/listener.h"
#include "pool/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	DELAY_FIRST_MS = 100,
	DELAY_MOST_MS = 10000,
	STEADY_MS = 10000,
	GRACE_MS = 1000,
	KILL_AGAIN_MS = 100
};

/* One place in the pool; pid is 0 while no process fills it. */
struct seat {
	pid_t pid;
	long started, due; /* milliseconds; due: when the next one is to be started */
	long delay;        /* milliseconds from a death to the next start; 0: at once */
};

struct supervisor {
	const struct settings *settings;
	int descriptor;
	struct seat *seats;
	size_t alive;
	sigset_t watched;
	bool draining;
	long kill_at; /* while draining: when the rest is killed */
};

/* What holds between two events. */
static void supervisor_check(const struct supervisor *supervisor)
{
	size_t filled = 0;

	for (size_t i = 0; i < supervisor->settings->workers; i++) {
		const struct seat *seat = &supervisor->seats[i];

		filled += seat->pid != 0;
		assert(seat->pid >= 0 && seat->delay >= 0 && seat->delay <= DELAY_MOST_MS);
	}
	assert(filled == supervisor->alive);
	assert(!supervisor->draining || supervisor->kill_at > 0);
	(void)filled;
}

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/*
 * Should the supervisor die, its workers drain; one that died before the wish was heard shows as
 * another parent.
 */
static void run_worker(struct supervisor *supervisor, pid_t parent)
{
	int code;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(0);
	free(supervisor->seats);
	code = worker_run(supervisor->settings, supervisor->descriptor);
	exit(code);
}

static void start_worker(struct supervisor *supervisor, struct seat *seat)
{
	pid_t parent = getpid(), pid = fork();

	if (pid == 0)
		run_worker(supervisor, parent);
	seat->started = now_ms();
	if (pid < 0) {
		log_error("starting a worker: %s", strerror(errno));
		seat->due = seat->started + DELAY_FIRST_MS;
		return;
	}
	seat->pid = pid;
	supervisor->alive++;
}

static void start_due(struct supervisor *supervisor)
{
	for (size_t i = 0; i < supervisor->settings->workers; i++)
		if (!supervisor->seats[i].pid && supervisor->seats[i].due <= now_ms())
			start_worker(supervisor, &supervisor->seats[i]);
}

/*
 * A worker that served a while is replaced at once, one that dies young after a delay that
 * doubles.
 */
static void plan_successor(struct seat *seat)
{
	long now = now_ms();

	if (now - seat->started >= STEADY_MS)
		seat->delay = 0;
	seat->due = now + seat->delay;
	seat->delay = seat->delay ? seat->delay * 2 : DELAY_FIRST_MS;
	if (seat->delay > DELAY_MOST_MS)
		seat->delay = DELAY_MOST_MS;
}

static void report_end(pid_t pid, int status, bool expected)
{
	if (WIFSIGNALED(status))
		log_error("worker %d was ended by signal %d (%s)", (int)pid, WTERMSIG(status),
		    strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) || !expected)
		log_error("worker %d ended with code %d", (int)pid, WEXITSTATUS(status));
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < supervisor->settings->workers; i++) {
			if (supervisor->seats[i].pid != pid)
				continue;
			report_end(pid, status, supervisor->draining);
			supervisor->seats[i].pid = 0;
			supervisor->alive--;
			plan_successor(&supervisor->seats[i]);
		}
}

static void signal_all(struct supervisor *supervisor, int number)
{
	for (size_t i = 0; i < supervisor->settings->workers; i++)
		if (supervisor->seats[i].pid)
			kill(supervisor->seats[i].pid, number);
}

static void act_on_signal(struct supervisor *supervisor, int number)
{
	bool at_once = supervisor->draining || number == SIGINT;
	long kill_at = now_ms() + GRACE_MS + (at_once ? 0 : supervisor->settings->drain_timeout);

	log_info("%s: %s", strsignal(number), at_once ? "ending" : "draining");
	if (!supervisor->draining)
		listener_remove(supervisor->settings);
	if (!supervisor->draining || kill_at < supervisor->kill_at)
		supervisor->kill_at = kill_at;
	supervisor->draining = true;
	signal_all(supervisor, at_once ? SIGINT : SIGTERM);
}

/*
 * A process in an uninterruptible call dies only after that: it is not waited for in a busy loop.
 */
static void kill_rest(struct supervisor *supervisor)
{
	signal_all(supervisor, SIGKILL);
	supervisor->kill_at = now_ms() + KILL_AGAIN_MS;
}

/* Waits for a signal until the next thing is due; 0 where none came. */
static int wait_signal(const struct supervisor *supervisor)
{
	long due = supervisor->draining ? supervisor->kill_at : now_ms() + 3600000, left;
	struct timespec limit;
	int number;

	for (size_t i = 0; !supervisor->draining && i < supervisor->settings->workers; i++)
		if (!supervisor->seats[i].pid && supervisor->seats[i].due < due)
			due = supervisor->seats[i].due;
	left = due - now_ms();
	left = left < 0 ? 0 : left;
	limit = (struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
	number = sigtimedwait(&supervisor->watched, NULL, &limit);
	return number > 0 ? number : 0;
}

static void watch_signals(struct supervisor *supervisor)
{
	sigemptyset(&supervisor->watched);
	sigaddset(&supervisor->watched, SIGCHLD);
	sigaddset(&supervisor->watched, SIGTERM);
	sigaddset(&supervisor->watched, SIGQUIT);
	sigaddset(&supervisor->watched, SIGINT);
	sigprocmask(SIG_BLOCK, &supervisor->watched, NULL);
	signal(SIGCHLD, SIG_DFL); /* ignored, as a parent may leave it, workers would end unseen */
}

int supervisor_run(const struct settings *settings, int descriptor)
{
	struct supervisor supervisor = {.settings = settings, .descriptor = descriptor};
	int number;

	supervisor.seats = calloc(settings->workers, sizeof(*supervisor.seats));
	if (!supervisor.seats) {
		log_error("starting the pool: no memory");
		return 1;
	}
	log_share();
	watch_signals(&supervisor);
	while (!supervisor.draining || supervisor.alive) {
		if (!supervisor.draining)
			start_due(&supervisor);
		number = wait_signal(&supervisor);
		if (number && number != SIGCHLD)
			act_on_signal(&supervisor, number);
		if (supervisor.draining && now_ms() >= supervisor.kill_at)
			kill_rest(&supervisor);
		reap(&supervisor);
		supervisor_check(&supervisor);
	}
	free(supervisor.seats);
	return 0;
}
