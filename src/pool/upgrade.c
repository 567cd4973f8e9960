/* SPDX-License-Identifier: MIT */
/* Lets another program take the pool's place, with its listening sockets. */
#include "pool/upgrade.h"

#include "base/clock.h"
#include "event.h"
#include "pool/notify.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LIMIT_MS = 10000, GRACE_MS = 1000, TEXT_SIZE = 512 };

/*
 * The process it is for, the descriptor of upgrade_tell, how many sockets, whether we made them, and how many are for
 * FastCGI, which a program without metrics_listen does not say: all.
 */
static const char inherit[] = "EVENT_MATCHER_INHERIT";
/* What the settings said of the socket. */
static const char inherit_kept[] = "EVENT_MATCHER_INHERIT_KEPT";
/* Of each socket, with its number: descriptor, device, inode, path. */
static const char inherit_socket[] = "EVENT_MATCHER_INHERIT_%zu";

void upgrade_find_program(const char *name, char *program, size_t size)
{
	char directory[PATH_MAX];
	ssize_t length;
	int written = -1;

	if (name && name[0] == '/')
		written = snprintf(program, size, "%s", name);
	else if (name && strchr(name, '/') && getcwd(directory, sizeof(directory)))
		written = snprintf(program, size, "%s/%s", directory, name);
	else if ((length = readlink("/proc/self/exe", program, size - 1)) > 0) {
		program[length] = '\0';
		return;
	}
	if (written < 0 || (size_t)written >= size)
		*program = '\0';
}

/* All that the sockets are made from, as long as it may be; for free. NULL where there is no memory. */
static char *describe_kept(const struct settings *settings)
{
	char *text;

	return asprintf(&text, "%s %o %s %u%s%s", settings->listen, (unsigned)settings->listen_mode,
		   settings->listen_group, settings->listen_backlog,
		   *settings->metrics_listen ? " " : "", settings->metrics_listen) < 0
		   ? NULL
		   : text;
}

static bool hand_on_kept(const struct settings *settings)
{
	char *text = describe_kept(settings);
	bool good = text && setenv(inherit_kept, text, 1) == 0;

	free(text);
	return good;
}

static bool hand_on(const struct listener *listener, size_t number)
{
	char name[sizeof(inherit_socket) + 20], text[TEXT_SIZE];

	snprintf(name, sizeof(name), inherit_socket, number);
	snprintf(text, sizeof(text), "%d %" PRIuMAX " %" PRIuMAX " %s", listener->descriptor,
	    (uintmax_t)listener->file.device, (uintmax_t)listener->file.inode, listener->file.path);
	return fcntl(listener->descriptor, F_SETFD, 0) == 0 && setenv(name, text, 1) == 0;
}

/* Of the new process: nothing of it is seen by the old one. */
static bool prepare(const struct listeners *listeners, const struct settings *settings, int ready)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "%d %d %zu %d %zu", (int)getpid(), ready, listeners->count,
	    listeners->ours, listeners->fastcgi);
	notify_inherit();
	if (setenv(inherit, text, 1) != 0 || fcntl(ready, F_SETFD, 0) != 0 ||
	    !hand_on_kept(settings))
		return false;
	for (size_t i = 0; i < listeners->count; i++)
		if (!hand_on(&listeners->all[i], i))
			return false;
	return true;
}

static void fail(struct upgrade *upgrade, const char *reason)
{
	log_event(&event_upgrade_failed, "upgrade: %s; the pool goes on as it was", reason);
	upgrade->state = UPGRADE_FAILED;
}

/*
 * Those that end a program, and that of its children, are as it expects them; the others are held until it watches for
 * them (supervisor_hold_signals).
 */
static void release_signals(void)
{
	static const int released[] = {SIGTERM, SIGINT, SIGQUIT, SIGCHLD};
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(released) / sizeof(released[0]); i++)
		sigaddset(&set, released[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void start(struct upgrade *upgrade, const struct invocation *invocation,
    const struct listeners *listeners, const struct settings *settings)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
		fail(upgrade, strerror(errno));
		return;
	}
	upgrade->pid = fork();
	if (upgrade->pid == 0) {
		release_signals();
		if (prepare(listeners, settings, ends[1]))
			execv(invocation->program, invocation->argv);
		log_event(&event_upgrade_failed, "upgrade: starting %s: %s", invocation->program,
		    strerror(errno));
		_exit(1);
	}
	close(ends[1]);
	upgrade->ready = ends[0];
	upgrade->state = UPGRADE_STARTED;
	if (upgrade->pid > 0)
		return;
	close(ends[0]);
	fail(upgrade, strerror(errno));
}

void upgrade_begin(struct upgrade *upgrade, const struct invocation *invocation,
    const struct listeners *listeners, const struct settings *settings)
{
	assert(upgrade->state == UPGRADE_NONE);
	*upgrade = (struct upgrade){.kill_at = clock_ms() + LIMIT_MS};
	if (getpid() == 1)
		fail(upgrade, "process 1 of a container takes the others along at its end, so it "
			      "needs an init above it");
	else if (!*invocation->program)
		fail(upgrade, "the program's file is not known");
	else if (!settings_can_be_read_again(settings))
		fail(upgrade,
		    "the settings file is a pipe, which the new program cannot read again");
	else
		start(upgrade, invocation, listeners, settings);
}

static void end_started(struct upgrade *upgrade)
{
	kill(upgrade->pid, upgrade->told ? SIGKILL : SIGINT);
	upgrade->told = true;
	upgrade->kill_at = clock_ms() + GRACE_MS;
}

enum upgrade_state upgrade_look(struct upgrade *upgrade)
{
	enum upgrade_state state = upgrade->state;
	char word;

	if (state == UPGRADE_FAILED)
		upgrade->state = UPGRADE_NONE;
	if (state != UPGRADE_STARTED)
		return state;
	if (!upgrade->told && read(upgrade->ready, &word, 1) == 1) {
		close(upgrade->ready);
		upgrade->state = UPGRADE_SERVES;
	} else if (clock_ms() >= upgrade->kill_at) {
		if (!upgrade->told)
			log_event(&event_upgrade_late,
			    "upgrade: process %d does not serve within %d s: it is ended",
			    (int)upgrade->pid, LIMIT_MS / 1000);
		end_started(upgrade);
	}
	return upgrade->state;
}

bool upgrade_reap(struct upgrade *upgrade, pid_t pid, int status)
{
	char reason[TEXT_SIZE];

	if (upgrade->state != UPGRADE_STARTED || pid != upgrade->pid)
		return false;
	if (WIFSIGNALED(status))
		snprintf(reason, sizeof(reason),
		    "process %d was ended by signal %d before it served", (int)pid,
		    WTERMSIG(status));
	else
		snprintf(reason, sizeof(reason), "process %d ended with code %d before it served",
		    (int)pid, WEXITSTATUS(status));
	close(upgrade->ready);
	fail(upgrade, reason);
	return true;
}

void upgrade_cancel(struct upgrade *upgrade)
{
	if (upgrade->state == UPGRADE_STARTED)
		end_started(upgrade);
}

bool upgrade_is_inherited(void)
{
	const char *text = getenv(inherit);

	return text && strtol(text, NULL, 10) == getpid();
}

static bool take(struct listener *listener, size_t number)
{
	char name[sizeof(inherit_socket) + 20];
	uintmax_t device, inode;
	const char *text;
	int length = 0;

	snprintf(name, sizeof(name), inherit_socket, number);
	text = getenv(name);
	if (!text ||
	    sscanf(text, "%d %ju %ju %n", &listener->descriptor, &device, &inode, &length) != 3 ||
	    !length || strlen(text + length) >= sizeof(listener->file.path) ||
	    !listener_is(listener->descriptor) ||
	    fcntl(listener->descriptor, F_SETFD, FD_CLOEXEC) != 0)
		return false;
	listener->file.device = (dev_t)device;
	listener->file.inode = (ino_t)inode;
	strcpy(listener->file.path, text + length);
	return unsetenv(name) == 0;
}

static bool take_all(struct listeners *listeners, int *ready)
{
	const char *text = getenv(inherit);
	size_t count;
	int ours, fields;

	*listeners = (struct listeners){0};
	fields = sscanf(text, "%*d %d %zu %d %zu", ready, &count, &ours, &listeners->fastcgi);
	if (fields < 3 || count > LISTENERS_MAX || fcntl(*ready, F_SETFD, FD_CLOEXEC) != 0)
		return false;
	if (fields == 3)
		listeners->fastcgi = count;
	if (listeners->fastcgi > count)
		return false;
	listeners->ours = ours;
	for (; listeners->count < count; listeners->count++)
		if (!take(&listeners->all[listeners->count], listeners->count))
			return false;
	return unsetenv(inherit) == 0;
}

static bool is_kept(const struct settings *settings)
{
	const char *before = getenv(inherit_kept);
	char *now = describe_kept(settings);
	bool same = before && now && strcmp(before, now) == 0;

	free(now);
	return same;
}

bool upgrade_inherit(struct listeners *listeners, int *ready, const struct settings *settings,
    char *error, size_t size)
{
	if (!is_kept(settings))
		snprintf(error, size,
		    "upgrade: the socket is taken over as it is, so listen, listen_mode, "
		    "listen_group, "
		    "listen_backlog and metrics_listen must be as they were: a change of these "
		    "takes a restart");
	else if (!take_all(listeners, ready))
		snprintf(
		    error, size, "upgrade: what %s hands over is no listening socket", inherit);
	else
		return unsetenv(inherit_kept) == 0;
	return false;
}

void upgrade_tell(int *ready)
{
	if (*ready < 0)
		return;
	if (write(*ready, "r", 1) != 1)
		log_event(&event_upgrade_unheard,
		    "upgrade: the process before this one does not listen: %s", strerror(errno));
	close(*ready);
	*ready = -1;
}
