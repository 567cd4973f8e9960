/* SPDX-License-Identifier: MIT */
/* The benchmark's no-op: our FastCGI server, a constant answer, no database. */
#include "fastcgi/listener.h"
#include "fastcgi/server.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CLIENTS_MAX = 1024 };

static struct iovec part;
static void
    *due[CLIENTS_MAX]; /* clients whose requests have come to their end in this turn of the loop */
static int due_count;

static void *begin(void *context, void *client, enum parameters_status status,
    const struct parameter *parameters, size_t count, struct buffer *response)
{
	(void)context, (void)status, (void)parameters, (void)count, (void)response;
	return client;
}

static bool end(void *exchange, struct buffer *response)
{
	(void)response;
	if (due_count == CLIENTS_MAX)
		abort();
	due[due_count++] = exchange;
	return true;
}

static const char *id(const void *exchange)
{
	(void)exchange;
	return "";
}

static void cancel(void *exchange)
{
	for (int i = 0; i < due_count; i++)
		if (due[i] == exchange)
			due[i] = due[--due_count];
}

static void on_turn(uv_prepare_t *turn)
{
	(void)turn;
	while (due_count)
		peer_reply(due[--due_count], &part, 1);
}

static void on_signal(uv_signal_t *handle, int number)
{
	(void)handle, (void)number;
	exit(0);
}

/*
 * Usage: noop --listen=ADDRESS; the environment variable NOOP_BODY_SIZE is the size of the
 * answer's body.
 */
int main(int argc, char **argv)
{
	static struct server server;
	struct handler handler = {.begin = begin, .end = end, .cancel = cancel, .id = id};
	struct settings settings;
	char error[SETTINGS_ERROR_SIZE] = "a mistake in the usage", *answer;
	const char *size = getenv("NOOP_BODY_SIZE");
	int body = size ? atoi(size) : 357;
	struct listeners listeners;
	uv_signal_t term;
	uv_prepare_t turn;

	if (settings_load(&settings, argc, argv, error) != SETTINGS_RUN ||
	    !listener_open(&listeners, &settings, error, sizeof(error))) {
		fprintf(stderr, "noop: %s\n", error);
		return 1;
	}
	part.iov_base = answer = malloc((size_t)body + 200);
	if (!answer)
		return 1;
	part.iov_len = (size_t)sprintf(answer,
	    "Status: 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: "
	    "%d\r\n\r\n%0*d",
	    body, body, 0);
	handler.overloaded = part;
	uv_signal_init(uv_default_loop(), &term);
	uv_signal_start(&term, on_signal, SIGTERM);
	uv_prepare_init(uv_default_loop(), &turn);
	uv_prepare_start(&turn, on_turn);
	server_start(&server, uv_default_loop(), &settings, &listeners, &handler);
	return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
