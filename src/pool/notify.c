/* SPDX-License-Identifier: MIT */
/* Tells systemd how the service is (sd_notify(3)). */
#include "pool/notify.h"

#include "event.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* The length of the address, or 0 where the path is none. "@" starts an abstract one (unix(7)). */
static socklen_t make_address(struct sockaddr_un *address, const char *path)
{
	size_t length = strlen(path);

	if ((*path != '/' && *path != '@') || length < 2 || length >= sizeof(address->sun_path))
		return 0;
	address->sun_family = AF_UNIX;
	memcpy(address->sun_path, path, length + 1);
	if (*path == '@')
		address->sun_path[0] = '\0';
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

static bool send_to(const struct sockaddr_un *address, socklen_t length, const char *state)
{
	int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	bool sent =
	    descriptor >= 0 && sendto(descriptor, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT,
				   (const struct sockaddr *)address, length) >= 0;
	int cause = errno;

	if (descriptor >= 0)
		close(descriptor);
	errno = cause;
	return sent;
}

/* Our own two dozen lines: libsystemd would bring five libraries more into every worker. */
bool notify_tell(const char *state)
{
	struct sockaddr_un address = {0};
	const char *path = getenv("NOTIFY_SOCKET");
	socklen_t length = path ? make_address(&address, path) : 0;
	char text[200];

	if (!path || !*path)
		return false;
	errno = EINVAL;
	if (length && send_to(&address, length, state))
		return true;
	snprintf(text, sizeof(text), "telling systemd by NOTIFY_SOCKET: %s", strerror(errno));
	if (log_is_news(text)) /* a sign of life would say it again and again */
		log_event(&event_systemd_unreachable, "%s", text);
	return false;
}

void notify_inherit(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	char own[24];

	snprintf(own, sizeof(own), "%d", (int)getpid());
	if (pid && *pid && strtol(pid, NULL, 10) == getppid())
		setenv("WATCHDOG_PID", own, 1);
}

int64_t notify_interval(void)
{
	const char *period = getenv("WATCHDOG_USEC"), *pid = getenv("WATCHDOG_PID");
	long long microseconds = period ? strtoll(period, NULL, 10) : 0;

	if (microseconds <= 0 || (pid && *pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return microseconds < 2000 ? 1 : microseconds / 2000;
}
