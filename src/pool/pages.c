/* SPDX-License-Identifier: MIT */
/* Serves metrics and health over HTTP, on the sockets of metrics_listen. */
#include "pool/pages.h"

#include "base/buffer.h"
#include "http/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Who is slow costs no more than this: the oldest connection goes for one that is too much, and each after LIMIT_MS. */
enum { CLIENTS_MAX = 32, REQUEST_MAX = 4096, LIMIT_MS = 5000, SWEEP_MS = 250 };

/* What Prometheus asks for where it is not told otherwise. */
static const char usual[] = "/metrics", own[] = "/-/metrics/";

struct client {
	uv_poll_t poll;
	struct pages *pages;
	struct list node;
	uint64_t since; /* milliseconds of the loop's clock */
	int descriptor;
	size_t length, sent;    /* of request, of response */
	struct buffer response; /* empty: its request has not come to its end */
	char request[REQUEST_MAX];
};

static void watch_gates(struct pages *pages, bool wanted);

static void on_closed(uv_handle_t *handle)
{
	free(handle->data);
}

static void close_client(struct client *client)
{
	client->pages->open--;
	list_remove(&client->node);
	buffer_free(&client->response);
	uv_close((uv_handle_t *)&client->poll, on_closed);
	close(client->descriptor);
}

static struct client *oldest(const struct pages *pages)
{
	return list_entry(pages->clients.next, struct client, node);
}

static void refuse(struct buffer *response, const char *status, const char *more)
{
	buffer_append_text(response, "HTTP/1.1 ");
	buffer_append_text(response, status);
	buffer_append_text(response, more);
	buffer_append_text(response, "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

/* A CGI response begins with its status, in a field of its own; HTTP's with the version before it. */
static void append_cgi(struct buffer *response, const struct buffer *cgi)
{
	static const char status[] = "Status: ", line_end[] = "\r\n";
	const char *text = (const char *)cgi->data + sizeof(status) - 1;
	const char *rest = strstr(text, line_end) + sizeof(line_end) - 1;
	size_t left = cgi->length - (size_t)(rest - (const char *)cgi->data);

	buffer_append_text(response, "HTTP/1.1 ");
	buffer_append(response, text, (size_t)(rest - text));
	buffer_append_text(response, "Connection: close\r\n");
	buffer_append(response, rest, left);
}

static void answer(struct client *client, const struct head *head)
{
	struct slice path = slice_is(head->path, slice_of(usual)) ? slice_of(own) : head->path;
	bool bodyless = slice_is(head->method, slice_of("HEAD"));
	struct buffer cgi = {0};

	if (!bodyless && !slice_is(head->method, slice_of("GET")))
		refuse(&client->response, "405 Method Not Allowed", "\r\nAllow: GET, HEAD");
	else if (!vitals_answer(client->pages->vitals, path, bodyless, &cgi))
		refuse(&client->response, "404 Not Found", "");
	else if (!cgi.failed)
		append_cgi(&client->response, &cgi);
	buffer_free(&cgi);
}

/* Answers what has come, if it is whole; false where more is to come. */
static bool act(struct client *client)
{
	struct head head;

	switch (head_read(client->request, client->length, &head)) {
	case HEAD_MORE:
		if (client->length < REQUEST_MAX)
			return false;
		refuse(&client->response, "431 Request Header Fields Too Large", "");
		break;
	case HEAD_BAD:
		refuse(&client->response, "400 Bad Request", "");
		break;
	case HEAD_GOOD:
		answer(client, &head);
		break;
	}
	return true;
}

static void on_event(uv_poll_t *poll, int status, int events);

/* Whoever has got all, or takes no more, is done with. */
static void reply(struct client *client)
{
	const struct buffer *response = &client->response;
	ssize_t took = send(client->descriptor, response->data + client->sent,
	    response->length - client->sent, MSG_NOSIGNAL);

	if (took > 0)
		client->sent += (size_t)took;
	if (response->failed || client->sent == response->length ||
	    (took < 0 && errno != EAGAIN && errno != EINTR))
		close_client(client);
	else
		uv_poll_start(&client->poll, UV_WRITABLE, on_event);
}

static void receive(struct client *client)
{
	ssize_t got = recv(
	    client->descriptor, client->request + client->length, REQUEST_MAX - client->length, 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		close_client(client);
		return;
	}
	client->length += (size_t)got;
	if (act(client))
		reply(client);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct client *client = poll->data;

	(void)events;
	if (status < 0)
		close_client(client);
	else if (client->response.length)
		reply(client);
	else
		receive(client);
}

static void on_sweep(uv_timer_t *timer)
{
	struct pages *pages = timer->data;
	uint64_t now = uv_now(pages->loop);

	while (pages->open && now - oldest(pages)->since >= LIMIT_MS)
		close_client(oldest(pages));
	if (pages->count && !pages->accepting)
		watch_gates(pages, true);
	if (!pages->open)
		uv_timer_stop(timer);
}

static bool open_client(struct pages *pages, int descriptor)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || uv_poll_init(pages->loop, &client->poll, descriptor) != 0) {
		free(client);
		close(descriptor);
		return false;
	}
	client->poll.data = client;
	client->pages = pages;
	client->descriptor = descriptor;
	client->since = uv_now(pages->loop);
	list_append(&pages->clients, &client->node);
	if (++pages->open > CLIENTS_MAX)
		close_client(oldest(pages));
	uv_poll_start(&client->poll, UV_READABLE, on_event);
	return true;
}

/* Without a descriptor or memory the socket would be ready for ever: it rests until the next sweep. */
static void on_connection(uv_poll_t *poll, int status, int events)
{
	struct pages_gate *gate = poll->data;
	struct pages *pages = gate->pages;
	int descriptor = -1;

	(void)events;
	if (status == 0)
		descriptor = accept4(gate->descriptor, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (descriptor < 0 && (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED))
		return;
	if (descriptor < 0 || !open_client(pages, descriptor))
		watch_gates(pages, false);
	if (!uv_is_active((uv_handle_t *)&pages->sweep))
		uv_timer_start(&pages->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
}

static void watch_gates(struct pages *pages, bool wanted)
{
	pages->accepting = wanted;
	for (size_t i = 0; i < pages->count; i++)
		if (wanted)
			uv_poll_start(&pages->gates[i].poll, UV_READABLE, on_connection);
		else
			uv_poll_stop(&pages->gates[i].poll);
}

int pages_start(struct pages *pages, uv_loop_t *loop, const struct listeners *listeners,
    const struct vitals *vitals)
{
	*pages = (struct pages){.loop = loop, .vitals = vitals};
	list_init(&pages->clients);
	uv_timer_init(loop, &pages->sweep);
	pages->sweep.data = pages;
	for (size_t i = listeners->fastcgi; i < listeners->count; i++) {
		struct pages_gate *gate = &pages->gates[pages->count];
		int result = uv_poll_init(loop, &gate->poll, listeners->all[i].descriptor);

		if (result != 0)
			return result;
		gate->poll.data = gate;
		gate->pages = pages;
		gate->descriptor = listeners->all[i].descriptor;
		pages->count++;
	}
	watch_gates(pages, true);
	return 0;
}

void pages_drain(struct pages *pages)
{
	for (size_t i = 0; i < pages->count; i++) {
		uv_close((uv_handle_t *)&pages->gates[i].poll, NULL);
		close(pages->gates[i].descriptor);
	}
	pages->count = 0;
}

void pages_stop(struct pages *pages)
{
	pages_drain(pages);
	while (pages->open)
		close_client(oldest(pages));
	uv_close((uv_handle_t *)&pages->sweep, NULL);
}
