/* SPDX-License-Identifier: MIT */
/* A socket is opened as it was named, or refused with what is wrong. */
#include "fastcgi/listener.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/listener_test.XXXXXX", path[100], listen_text[110], error[300];
static struct settings settings = {
    .listen = listen_text, .listen_group = "", .listen_mode = 0640, .listen_backlog = 5};

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	snprintf(listen_text, sizeof(listen_text), "unix:%s", path);
}

static void remove_directory(void)
{
	char lock[sizeof(path) + 5];

	snprintf(lock, sizeof(lock), "%s.lock", path);
	unlink(lock);
	unlink(path);
	rmdir(directory);
}

TestSuite(listener, .init = make_directory, .fini = remove_directory);

static struct listeners listeners;

static int open_it(void)
{
	return listener_open(&listeners, &settings, error, sizeof(error))
		   ? listeners.all[0].descriptor
		   : -1;
}

static int open_at(const char *text)
{
	snprintf(listen_text, sizeof(listen_text), "%s", text);
	return open_it();
}

static struct stat status(void)
{
	struct stat found = {0};

	stat(path, &found);
	return found;
}

Test(listener, listens_on_host_and_port)
{
	int descriptor = open_at("127.0.0.1:0");

	cr_assert(listener_is(descriptor), "%s", error);
	cr_assert(fcntl(descriptor, F_GETFD) & FD_CLOEXEC);
	cr_assert(fcntl(descriptor, F_GETFL) & O_NONBLOCK);
	close(descriptor);
}

Test(listener, names_an_address_that_is_none)
{
	static const char *const texts[] = {"", "nonsense", ":80", "127.0.0.1:", "[]:80"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(open_at(texts[i]), -1, "%s", texts[i]);
		cr_assert_not_null(
		    strstr(error, "listen is to be unix:/path or host:port"), "%s", error);
	}
	cr_assert_eq(open_at("127.0.0.1:none"), -1);
	cr_assert_not_null(strstr(error, "looking up the address 127.0.0.1:none"), "%s", error);
}

Test(listener, gives_a_unix_socket_its_mode_and_removes_it)
{
	int descriptor = open_it();

	cr_assert(listener_is(descriptor), "%s", error);
	cr_assert_eq(status().st_mode & 07777, 0640);
	listener_end(&listeners);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listener, gives_a_unix_socket_its_group)
{
	struct group *group = getgrent();
	int descriptor;

	while (group && group->gr_gid == getegid())
		group = getgrent();
	if (geteuid() != 0 || !group)
		cr_skip_test("only root may give it to any group");
	settings.listen_group = group->gr_name;
	descriptor = open_it();
	cr_assert(listener_is(descriptor), "%s", error);
	cr_assert_eq(status().st_gid, group->gr_gid);
	close(descriptor);
}

Test(listener, leaves_nothing_behind_where_there_is_no_such_group)
{
	settings.listen_group = "no-such-group";
	cr_assert_eq(open_it(), -1);
	cr_assert_not_null(strstr(error, "no-such-group"), "%s", error);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listener, replaces_a_left_over_socket_but_none_in_use)
{
	int first = open_it(), second;

	cr_assert_eq(open_it(), -1);
	cr_assert_not_null(strstr(error, "Address already in use"), "%s", error);
	close(first);
	second = open_it();
	cr_assert(listener_is(second), "%s", error);
	close(second);
}

Test(listener, removes_no_file_that_another_has_made)
{
	struct listeners first;

	open_it();
	first = listeners;
	cr_assert_eq(listener_look(&first), SOCKET_FILE_OURS);
	unlink(path);
	cr_assert_eq(listener_look(&first), SOCKET_FILE_GONE);
	open_it();
	cr_assert_eq(listener_look(&first), SOCKET_FILE_ANOTHERS);
	listener_end(&first);
	cr_assert_eq(access(path, F_OK), 0);
	listener_end(&listeners);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listener, replaces_no_file)
{
	close(open(path, O_CREAT | O_WRONLY, 0600));
	cr_assert_eq(open_it(), -1);
	cr_assert(S_ISREG(status().st_mode));
}

Test(listener, knows_a_socket_that_listens)
{
	int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);

	cr_assert_not(listener_is(descriptor));
	cr_assert_not(listener_is(-1));
	close(descriptor);
}
