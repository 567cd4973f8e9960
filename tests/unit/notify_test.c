/* SPDX-License-Identifier: MIT */
/* What is told arrives at the socket that NOTIFY_SOCKET names. */
#include "pool/notify.h"

#include <criterion/criterion.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int descriptor = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, path, strlen(path));
	if (*path == '@')
		address.sun_path[0] = '\0';
	cr_assert_eq(bind(descriptor, (struct sockaddr *)&address,
			 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))),
	    0);
	setenv("NOTIFY_SOCKET", path, 1);
	return descriptor;
}

static void expect_told(int descriptor, const char *state)
{
	char text[100] = "";

	cr_assert(notify_tell(state));
	cr_assert_eq(
	    recv(descriptor, text, sizeof(text) - 1, MSG_DONTWAIT), (ssize_t)strlen(state));
	cr_assert_str_eq(text, state);
	close(descriptor);
}

Test(notify, tells_a_socket_of_a_path)
{
	char path[] = "/tmp/notify_test.XXXXXX";

	cr_assert_not_null(mkdtemp(path));
	rmdir(path);
	expect_told(listen_at(path), "READY=1\nSTATUS=serving");
	unlink(path);
}

Test(notify, tells_an_abstract_socket)
{
	char path[40];

	snprintf(path, sizeof(path), "@notify_test.%d", (int)getpid());
	expect_told(listen_at(path), "STOPPING=1");
}

Test(notify, tells_nobody_where_nobody_wants_to_know)
{
	unsetenv("NOTIFY_SOCKET");
	cr_assert_not(notify_tell("READY=1"));
	setenv("NOTIFY_SOCKET", "", 1);
	cr_assert_not(notify_tell("READY=1"));
}

Test(notify, survives_a_socket_that_is_none)
{
	static const char *const paths[] = {"relative", "/", "@", "/nonexistent/socket"};
	char longest[200] = "/";

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		setenv("NOTIFY_SOCKET", paths[i], 1);
		cr_assert_not(notify_tell("READY=1"), "%s", paths[i]);
	}
	memset(longest + 1, 'x', sizeof(longest) - 2);
	setenv("NOTIFY_SOCKET", longest, 1);
	cr_assert_not(notify_tell("READY=1"));
}

Test(notify, the_watchdog_is_told_twice_a_period)
{
	char pid[20];

	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "10000000", 1);
	cr_assert_eq(notify_interval(), 5000);
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	setenv("WATCHDOG_PID", pid, 1);
	cr_assert_eq(notify_interval(), 5000);
	setenv("WATCHDOG_PID", "1", 1);
	cr_assert_eq(notify_interval(), 0);
	unsetenv("WATCHDOG_PID");
	setenv("WATCHDOG_USEC", "none", 1);
	cr_assert_eq(notify_interval(), 0);
	unsetenv("WATCHDOG_USEC");
	cr_assert_eq(notify_interval(), 0);
}
