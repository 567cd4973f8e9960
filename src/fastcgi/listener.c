/* SPDX-License-Identifier: MIT */
/* Opens the listening socket: unix with mode and group, TCP, systemd's. */
#include "fastcgi/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { INHERITED = 3, SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

static const char unix_prefix[] = "unix:";

static const char *unix_path(const struct settings *settings)
{
	size_t length = strlen(unix_prefix);

	return strncmp(settings->listen, unix_prefix, length) == 0 ? settings->listen + length
								   : NULL;
}

static int listen_at(const struct addrinfo *address, int backlog)
{
	int descriptor = socket(address->ai_family, SOCKET_FLAGS, 0), on = 1, cause;

	if (descriptor < 0)
		return -1;
	setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(descriptor, address->ai_addr, address->ai_addrlen) == 0 &&
	    listen(descriptor, backlog) == 0)
		return descriptor;
	cause = errno;
	close(descriptor);
	errno = cause;
	return -1;
}

/* Splits "host:port" or "[host]:port" in place. */
static bool split_host(char *text, char **host, char **port)
{
	char *colon = strrchr(text, ':');

	if (!colon || colon == text || !colon[1])
		return false;
	*colon = '\0';
	*host = text;
	*port = colon + 1;
	if (text[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		*host = text + 1;
	}
	return **host != '\0';
}

static int open_tcp(const struct settings *settings, char *error, size_t size)
{
	struct addrinfo hints = {.ai_flags = AI_PASSIVE, .ai_socktype = SOCK_STREAM}, *found;
	char text[300], *host, *port;
	int descriptor = -1, result;

	if ((size_t)snprintf(text, sizeof(text), "%s", settings->listen) >= sizeof(text) ||
	    !split_host(text, &host, &port)) {
		snprintf(error, size, "listen is to be unix:/path or host:port, not \"%s\"",
		    settings->listen);
		return -1;
	}
	result = getaddrinfo(host, port, &hints, &found);
	if (result != 0) {
		snprintf(error, size, "looking up the address %s to listen on: %s",
		    settings->listen, gai_strerror(result));
		return -1;
	}
	for (struct addrinfo *address = found; address && descriptor < 0;
	     address = address->ai_next)
		descriptor = listen_at(address, settings->listen_backlog);
	freeaddrinfo(found);
	if (descriptor < 0)
		snprintf(error, size, "listening on %s: %s", settings->listen, strerror(errno));
	return descriptor;
}

bool listener_open(
    struct listeners *listeners, const struct settings *settings, char *error, size_t size)
{
	struct listener *listener = &listeners->all[0];
	const char *path = unix_path(settings);

	*listeners = (struct listeners){.ours = true};
	listener->descriptor = path ? socket_file_open(&listener->file, path, settings, error, size)
				    : open_tcp(settings, error, size);
	listeners->count = listener->descriptor >= 0;
	return listeners->count == 1;
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

bool listener_inherit(struct listeners *listeners, char *error, size_t size)
{
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
	return true;
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
	return (struct listeners){.count = 1, .all = {{.descriptor = descriptor}}};
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

void listener_end(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++) {
		refuse(&listeners->all[i]);
		socket_file_remove(&listeners->all[i].file);
	}
	listener_close(listeners);
}

void listener_close(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		close(listeners->all[i].descriptor);
	listeners->count = 0;
}
