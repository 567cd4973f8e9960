/* SPDX-License-Identifier: MIT */
/* Opens the listening socket: unix with mode and group, TCP, systemd's. */
#include "fastcgi/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { INHERITED = 3, SOCKET_FLAGS = SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK };

static const char unix_prefix[] = "unix:";

static const char *unix_path(const struct settings *settings)
{
	size_t length = strlen(unix_prefix);

	return strncmp(settings->listen, unix_prefix, length) == 0 ? settings->listen + length
								   : NULL;
}

static int fail(int descriptor, char *error, size_t size, const char *doing, const char *what)
{
	snprintf(error, size, "%s %s: %s", doing, what, strerror(errno));
	if (descriptor >= 0)
		close(descriptor);
	return -1;
}

/* True where path is free, or was a unix socket that nobody answers on and is now removed. */
static bool clear_left_over(const char *path, const struct sockaddr_un *address)
{
	struct stat status;
	int probe, refused;

	if (lstat(path, &status) != 0)
		return errno == ENOENT;
	errno = EADDRINUSE;
	if (!S_ISSOCK(status.st_mode))
		return false;
	probe = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (probe < 0)
		return false;
	refused = connect(probe, (const struct sockaddr *)address, sizeof(*address)) != 0 &&
		  errno == ECONNREFUSED;
	close(probe);
	errno = EADDRINUSE;
	return refused && unlink(path) == 0;
}

static bool set_group(const char *path, const char *name)
{
	const struct group *group;

	if (!*name)
		return true;
	errno = 0;
	group = getgrnam(name);
	if (!group) {
		errno = errno ? errno : EINVAL;
		return false;
	}
	return chown(path, (uid_t)-1, group->gr_gid) == 0;
}

static int bind_private(int descriptor, const struct sockaddr_un *address)
{
	mode_t before = umask(0177);
	int result = bind(descriptor, (const struct sockaddr *)address, sizeof(*address));

	umask(before);
	return result;
}

static int open_unix(const char *path, const struct settings *settings, char *error, size_t size)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int descriptor;

	errno = ENAMETOOLONG;
	if (!*path || strlen(path) >= sizeof(address.sun_path))
		return fail(-1, error, size, "listening on the unix socket", path);
	strcpy(address.sun_path, path);
	if (!clear_left_over(path, &address))
		return fail(-1, error, size, "listening on the unix socket", path);
	descriptor = socket(AF_UNIX, SOCKET_FLAGS, 0);
	if (descriptor < 0 || bind_private(descriptor, &address) != 0)
		return fail(descriptor, error, size, "binding the unix socket", path);
	if (!set_group(path, settings->listen_group)) {
		unlink(path);
		return fail(descriptor, error, size, "giving the unix socket to the group",
		    settings->listen_group);
	}
	if (chmod(path, settings->listen_mode) != 0 ||
	    listen(descriptor, settings->listen_backlog) != 0) {
		unlink(path);
		return fail(descriptor, error, size, "listening on the unix socket", path);
	}
	return descriptor;
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
	return descriptor < 0 ? fail(-1, error, size, "listening on", settings->listen)
			      : descriptor;
}

int listener_open(const struct settings *settings, char *error, size_t size)
{
	const char *path = unix_path(settings);

	return path ? open_unix(path, settings, error, size) : open_tcp(settings, error, size);
}

/* Our own reader of two variables: libsystemd would bring five libraries more into every worker. */
bool listener_is_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");

	return pid && count && strtol(pid, NULL, 10) == getpid() && strtol(count, NULL, 10) >= 1;
}

int listener_inherit(char *error, size_t size)
{
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	if (!listener_is(INHERITED) || fcntl(INHERITED, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(INHERITED, F_SETFL, fcntl(INHERITED, F_GETFL) | O_NONBLOCK) != 0) {
		snprintf(error, size,
		    "taking the socket that LISTEN_FDS announces: descriptor %d is no listening "
		    "socket",
		    INHERITED);
		return -1;
	}
	return INHERITED;
}

bool listener_is(int descriptor)
{
	int listening = 0;
	socklen_t size = sizeof(listening);

	return getsockopt(descriptor, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 &&
	       listening;
}

void listener_remove(const struct settings *settings)
{
	const char *path = unix_path(settings);

	if (path && *settings->listen)
		unlink(path);
}
