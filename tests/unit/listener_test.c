/* SPDX-License-Identifier: MIT */
/* A socket is opened as it was named, or refused with what is wrong. */
#include "fastcgi/listener.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/listener_test.XXXXXX", path[100], listen_text[240], error[300];
static struct settings settings = {.listen = listen_text,
    .metrics_listen = "",
    .listen_group = "",
    .listen_mode = 0640,
    .listen_backlog = 5};

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/socket", directory);
	snprintf(listen_text, sizeof(listen_text), "unix:%s", path);
}

static void remove_directory(void)
{
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

Test(listener, listens_on_a_port_of_every_address)
{
	cr_assert(listener_is(open_at("0")), "%s", error);
	listener_close(&listeners);
	cr_assert(listener_is(open_at(":0")), "%s", error);
}

Test(listener, listens_on_several_addresses)
{
	char text[200];

	snprintf(text, sizeof(text), "127.0.0.1:0, unix:%s 127.0.0.2:0", path);
	cr_assert(listener_is(open_at(text)), "%s", error);
	cr_assert_eq(listeners.count, 3);
	for (size_t i = 0; i < 3; i++)
		cr_assert(listener_is(listeners.all[i].descriptor));
	listener_end(&listeners);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listener, leaves_nothing_behind_where_one_of_several_is_wrong)
{
	char text[200];

	snprintf(text, sizeof(text), "unix:%s,nonsense", path);
	cr_assert_eq(open_at(text), -1);
	cr_assert_not_null(strstr(error, "not \"nonsense\""), "%s", error);
	cr_assert_eq(listeners.count, 0);
	cr_assert_eq(access(path, F_OK), -1);
}

Test(listener, refuses_more_addresses_than_it_has_room_for)
{
	char text[20 * LISTENERS_MAX] = "";

	for (int i = 0; i <= LISTENERS_MAX; i++)
		strcat(text, "127.0.0.1:0 ");
	settings.listen = text;
	cr_assert_eq(open_it(), -1);
	cr_assert_eq(listeners.count, 0);
}

Test(listener, of_several_only_the_one_whose_file_is_gone_is_made_anew)
{
	struct listeners next;
	char text[200];

	snprintf(text, sizeof(text), "unix:%s 127.0.0.1:0", path);
	cr_assert(listener_is(open_at(text)), "%s", error);
	unlink(path);
	cr_assert(listener_renew(&next, &listeners, &settings, error, sizeof(error)), "%s", error);
	cr_assert_eq(next.count, 2);
	listener_end_but(&listeners, &next);
	cr_assert_eq(access(path, F_OK), 0);
	cr_assert(listener_is(next.all[0].descriptor) && listener_is(next.all[1].descriptor));
	listener_end(&next);
	cr_assert_eq(access(path, F_OK), -1);
}

/* Between looking whether a file is left over and binding nobody else may come. */
Test(listener, waits_a_second_for_who_holds_the_directory)
{
	int held = open(directory, O_RDONLY);
	struct timespec before, after;

	cr_assert_eq(flock(held, LOCK_EX), 0);
	clock_gettime(CLOCK_MONOTONIC, &before);
	cr_assert(listener_is(open_it()), "%s", error);
	clock_gettime(CLOCK_MONOTONIC, &after);
	cr_assert_geq(
	    (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000,
	    900);
	close(held);
}

Test(listener, names_an_address_that_is_none)
{
	static const char *const texts[] = {"", "nonsense", ":", "127.0.0.1:", "[]:80", "80x"};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		cr_assert_eq(open_at(texts[i]), -1, "%s", texts[i]);
		cr_assert_not_null(
		    strstr(error, "listen is to be unix:/path, host:port or a port"), "%s", error);
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
