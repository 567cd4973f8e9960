/* SPDX-License-Identifier: MIT */
/* Opens the listening sockets: unix with mode and group, TCP, systemd's. */
#include "fastcgi/listener.h"

#include "fastcgi/address.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { INHERITED = 3, SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

/* What addresses are opened into, and for. */
struct opening {
	struct listeners *listeners;
	const struct settings *settings;
	char *error;
	size_t size;
};

static bool refuse_address(struct opening *opening, const char *doing, const char *address)
{
	snprintf(opening->error, opening->size, "%s %s: %s", doing, address, strerror(errno));
	return false;
}

static bool open_unix(struct opening *opening, const char *path)
{
	struct listener *listener = &opening->listeners->all[opening->listeners->count];

	listener->descriptor = socket_file_open(
	    &listener->file, path, opening->settings, opening->error, opening->size);
	opening->listeners->count += listener->descriptor >= 0;
	return listener->descriptor >= 0;
}

static int close_failed(int descriptor)
{
	int cause = errno;

	close(descriptor);
	errno = cause;
	return -1;
}

/* A socket that is bound to the address, or -1 with errno. */
static int bind_to(const struct addrinfo *address)
{
	int descriptor = socket(address->ai_family, SOCKET_FLAGS, 0), on = 1;

	if (descriptor < 0)
		return -1;
	setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (address->ai_family == AF_INET6) /* or it would take the port of IPv4's too */
		setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return bind(descriptor, address->ai_addr, address->ai_addrlen) == 0
		   ? descriptor
		   : close_failed(descriptor);
}

static int listen_at(const struct addrinfo *address, int backlog)
{
	int descriptor = bind_to(address);

	if (descriptor < 0 || listen(descriptor, backlog) == 0)
		return descriptor;
	return close_failed(descriptor);
}

/* Has the machine no such address, or not this family of addresses? */
static bool is_absent(int cause)
{
	return cause == EAFNOSUPPORT || cause == EADDRNOTAVAIL || cause == EPROTONOSUPPORT;
}

/* At each of the addresses that the machine has, and at one of them at least. */
static bool listen_at_all(struct opening *opening, const struct addrinfo *address, const char *name)
{
	struct listeners *listeners = opening->listeners;
	size_t before = listeners->count;

	for (; address; address = address->ai_next) {
		int descriptor = -1;

		errno = EMFILE;
		if (listeners->count < LISTENERS_MAX)
			descriptor = listen_at(address, (int)opening->settings->listen_backlog);
		if (descriptor >= 0)
			listeners->all[listeners->count++] =
			    (struct listener){.descriptor = descriptor};
		else if (!is_absent(errno))
			return refuse_address(opening, "listening on", name);
	}
	return listeners->count > before || refuse_address(opening, "listening on", name);
}

static bool open_tcp(struct opening *opening, const char *name)
{
	struct addrinfo *found = address_look_up(name, AI_PASSIVE, opening->error, opening->size);
	bool good = found && listen_at_all(opening, found, name);

	if (found)
		freeaddrinfo(found);
	return good;
}

/* An empty list has an address too, and a wrong one. */
static bool open_addresses(struct opening *opening, const char *list)
{
	do {
		char address[ADDRESS_SIZE] = "";
		const char *path;

		if (!address_next(&list, address))
			return refuse_address(opening, "listening on", opening->settings->listen);
		path = address_path(address);
		errno = EMFILE;
		if (opening->listeners->count == LISTENERS_MAX)
			return refuse_address(opening, "listening on", address);
		if (path ? !open_unix(opening, path) : !open_tcp(opening, address))
			return false;
	} while (*list);
	return true;
}

/* Behind those that are open for FastCGI. */
static bool open_metrics(struct opening *opening)
{
	opening->listeners->fastcgi = opening->listeners->count;
	return !*opening->settings->metrics_listen ||
	       open_addresses(opening, opening->settings->metrics_listen);
}

bool listener_open(
    struct listeners *listeners, const struct settings *settings, char *error, size_t size)
{
	struct opening opening = {listeners, settings, error, size};

	*listeners = (struct listeners){.ours = true};
	if (open_addresses(&opening, settings->listen) && open_metrics(&opening))
		return true;
	listener_end(listeners);
	return false;
}

/* Binds to each of the addresses that the machine has, and lets go of it. */
static enum socket_file_trial try_all(const struct addrinfo *found)
{
	bool some = false;

	for (; found; found = found->ai_next) {
		int descriptor = bind_to(found);

		if (descriptor >= 0)
			close(descriptor);
		else if (errno == EADDRINUSE)
			return SOCKET_FILE_TAKEN;
		else if (!is_absent(errno))
			return SOCKET_FILE_IMPOSSIBLE;
		some |= descriptor >= 0;
	}
	return some ? SOCKET_FILE_FREE : SOCKET_FILE_IMPOSSIBLE;
}

enum socket_file_trial listener_try(
    const char *address, const struct settings *settings, char *error, size_t size)
{
	const char *path = address_path(address);
	struct addrinfo *found;
	enum socket_file_trial trial;

	if (path)
		return socket_file_try(path, settings, error, size);
	found = address_look_up(address, AI_PASSIVE, error, size);
	if (!found)
		return SOCKET_FILE_IMPOSSIBLE;
	trial = try_all(found);
	snprintf(error, size, "listening on %s: %s", address, strerror(errno));
	freeaddrinfo(found);
	return trial;
}

/* What has a file that is gone is opened anew, all else is the same socket once more. */
static bool renew_one(struct opening *opening, const struct listener *now)
{
	struct listener *next = &opening->listeners->all[opening->listeners->count];

	if (socket_file_look(&now->file) == SOCKET_FILE_GONE)
		return open_unix(opening, now->file.path);
	*next = *now;
	next->descriptor = fcntl(now->descriptor, F_DUPFD_CLOEXEC, 0);
	opening->listeners->count += next->descriptor >= 0;
	return next->descriptor >= 0 || refuse_address(opening, "sharing", "a listening socket");
}

bool listener_renew(struct listeners *next, const struct listeners *now,
    const struct settings *settings, char *error, size_t size)
{
	struct opening opening = {next, settings, error, size};
	bool good = true;

	*next = (struct listeners){.ours = now->ours, .fastcgi = now->fastcgi};
	for (size_t i = 0; good && i < now->count; i++)
		good = renew_one(&opening, &now->all[i]);
	if (!good)
		listener_end_but(next, now);
	return good;
}

/* Our own reader of two variables: libsystemd would bring five libraries more into every worker. */
bool listener_is_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	return pid && count && strtol(pid, NULL, 10) == getpid() && strtol(count, NULL, 10) >= 1;
}

static bool prepare(int descriptor)
{
	return listener_is(descriptor) && fcntl(descriptor, F_SETFD, FD_CLOEXEC) == 0 &&
	       fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK) == 0;
}

bool listener_inherit(
    struct listeners *listeners, const struct settings *settings, char *error, size_t size)
{
	struct opening opening = {listeners, settings, error, size};
	long count = strtol(getenv("LISTEN_FDS"), NULL, 10);

	*listeners = (struct listeners){0};
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (count > LISTENERS_MAX) {
		snprintf(error, size,
		    "taking the sockets that LISTEN_FDS announces: %ld are more than %d", count,
		    LISTENERS_MAX);
		return false;
	}
	for (int descriptor = INHERITED; descriptor < INHERITED + count; descriptor++) {
		if (!prepare(descriptor)) {
			snprintf(error, size,
			    "taking the socket that LISTEN_FDS announces: descriptor %d is no "
			    "listening socket",
			    descriptor);
			return false;
		}
		listeners->all[listeners->count++].descriptor = descriptor;
	}
	return open_metrics(&opening);
}

bool listener_is(int descriptor)
{
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
	       listening;
}

struct listeners listener_alone(int descriptor)
{
	return (struct listeners){.count = 1, .fastcgi = 1, .all = {{.descriptor = descriptor}}};
}

enum socket_file_state listener_look(const struct listeners *listeners)
{
	enum socket_file_state state = SOCKET_FILE_OURS;

	for (size_t i = 0; i < listeners->count && state == SOCKET_FILE_OURS; i++)
		state = socket_file_look(&listeners->all[i].file);
	return state;
}

/* accept still gives what waits in a unix socket that is shut; of TCP it would be reset (Linux, inet_shutdown). */
static void refuse(const struct listener *listener)
{
	if (*listener->file.path)
		shutdown(listener->descriptor, SHUT_RD);
}

/* The same socket, of the same file. */
static bool is_same(const struct listener *one, const struct listener *other)
{
	return strcmp(one->file.path, other->file.path) == 0 &&
	       one->file.device == other->file.device && one->file.inode == other->file.inode;
}

void listener_end_but(struct listeners *listeners, const struct listeners *kept)
{
	for (size_t i = 0; i < listeners->count; i++) {
		if (i < kept->count && is_same(&listeners->all[i], &kept->all[i]))
			continue;
		refuse(&listeners->all[i]);
		socket_file_remove(&listeners->all[i].file);
	}
	listener_close(listeners);
}

void listener_end(struct listeners *listeners)
{
	static const struct listeners none;

	listener_end_but(listeners, &none);
}

void listener_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close(listeners->all[i].descriptor);
	listeners->count = 0;
}
