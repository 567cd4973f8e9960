/* SPDX-License-Identifier: MIT */
/*
 * A whole connection: a server on a socket, a web server that sends the input in pieces, and a handler that answers at
 * once, later or never. The first four bytes choose the piece, the reply's size, whether it is read, and the limits.
 */
#include "fastcgi/server.h"

#include "fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { OPEN_MAX = 4 };

static struct settings settings = {.max_connections = 2,
    .max_requests = 4,
    .max_unsent = 1u << 20,
    .receive_timeout = 10000,
    .body_timeout = 10000,
    .send_timeout = 10000,
    .idle_timeout = 10000};

/* An exchange of the stub: its client, until the reply or the cancel. */
struct exchange {
	void *client;
	bool ended;
};

static struct exchange exchanges[OPEN_MAX];
static unsigned char reply_bytes[1u << 20];
static size_t reply_size;

static void *begin(void *context, void *client, enum parameters_status status,
    const struct parameter *pairs, size_t count, struct buffer *response)
{
	struct request request = fuzz_request(status, pairs, count);

	(void)context;
	for (size_t i = 0; request.status == STATUS_OK && i < OPEN_MAX; i++)
		if (!exchanges[i].client) {
			exchanges[i] = (struct exchange){client, false};
			return &exchanges[i];
		}
	buffer_append_text(response, "Status: 404 Not Found\r\n\r\n");
	return NULL;
}

static bool end(void *context, struct buffer *response)
{
	struct exchange *exchange = context;

	assert(exchange->client && !exchange->ended);
	if (reply_size % 7 == 3) {
		exchange->client = NULL;
		buffer_append_text(response, "Status: 503 Service Unavailable\r\n\r\n");
		return false;
	}
	exchange->ended = true;
	return true;
}

static void cancel(void *context)
{
	struct exchange *exchange = context;

	assert(exchange->client);
	exchange->client = NULL;
}

static const char *id(const void *context)
{
	(void)context;
	return "";
}

/* Answers what is due, but never in a call of the handler. */
static void answer_all(void)
{
	const struct iovec part = {reply_bytes, reply_size};

	for (size_t i = 0; i < OPEN_MAX; i++) {
		void *client = exchanges[i].client;

		if (!client || !exchanges[i].ended)
			continue;
		exchanges[i].client = NULL;
		peer_reply(client, &part, 1);
	}
}

static int listen_somewhere(struct sockaddr_un *address)
{
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	socklen_t length = sizeof(*address);

	/* Autobind (unix(7)): an abstract name that nobody else has. */
	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	assert(descriptor >= 0 &&
	       bind(descriptor, (struct sockaddr *)address, sizeof(sa_family_t)) == 0);
	assert(listen(descriptor, 8) == 0);
	assert(getsockname(descriptor, (struct sockaddr *)address, &length) == 0);
	return descriptor;
}

static int connect_to(const struct sockaddr_un *address)
{
	int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	assert(descriptor >= 0);
	assert(connect(descriptor, (const struct sockaddr *)address, sizeof(sa_family_t) + 6) == 0);
	return descriptor;
}

static void turn(uv_loop_t *loop)
{
	uv_run(loop, UV_RUN_NOWAIT);
	answer_all();
	uv_run(loop, UV_RUN_NOWAIT);
}

static void read_some(int descriptor)
{
	static char bytes[1u << 17];

	while (recv(descriptor, bytes, sizeof(bytes), 0) > 0)
		;
}

/* Sends the bytes in pieces, and lets the loop turn after each; reads where the mode says so. */
static void converse(
    uv_loop_t *loop, int descriptor, const uint8_t *data, size_t size, size_t piece, bool reads)
{
	while (size) {
		ssize_t sent = send(descriptor, data, size < piece ? size : piece, MSG_NOSIGNAL);

		turn(loop);
		if (reads)
			read_some(descriptor);
		if (sent < 0 && errno != EAGAIN)
			return;
		if (sent < 0 && !reads)
			return;
		data += sent > 0 ? sent : 0;
		size -= sent > 0 ? (size_t)sent : 0;
	}
}

static void serve(uv_loop_t *loop, struct server *server, const struct sockaddr_un *address,
    const uint8_t *data, size_t size)
{
	uint8_t mode = data[2];
	int first = connect_to(address), second = mode & 2 ? connect_to(address) : -1;
	int third = mode & 4 ? connect_to(address) : -1; /* over the limit */

	turn(loop);
	turn(loop);
	converse(loop, first, data + 4, size - 4, 1 + data[0] * 16u, mode & 1);
	if (second >= 0)
		converse(loop, second, data + 4, size - 4, 65536, true);
	if (third >= 0)
		converse(loop, third, data + 4, size - 4, 4096, true);
	if (mode & 8)
		server_drain(server);
	for (int i = 0; i < 3; i++) {
		read_some(first);
		turn(loop);
	}
	close(first);
	if (second >= 0)
		close(second);
	if (third >= 0)
		close(third);
	turn(loop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char overloaded[] = "Status: 503 Service Unavailable\r\n\r\n";
	const struct handler handler = {
	    .begin = begin, .end = end, .cancel = cancel, .id = id, .overloaded = {overloaded, 35}};
	static struct server server;
	struct sockaddr_un address;
	uv_loop_t loop;
	struct listeners listeners;

	if (size < 4)
		return 0;
	reply_size = data[1] * 4096u;
	settings.max_unsent = data[3] & 1 ? 65536 : 1u << 20;
	memset(exchanges, 0, sizeof(exchanges));
	listeners = listener_alone(listen_somewhere(&address));
	assert(uv_loop_init(&loop) == 0);
	assert(server_start(&server, &loop, &settings, &listeners, &handler) == 0);
	serve(&loop, &server, &address, data, size);
	server_stop(&server);
	uv_run(&loop, UV_RUN_DEFAULT);
	server_free(&server);
	assert(uv_loop_close(&loop) == 0);
	for (size_t i = 0; i < OPEN_MAX; i++)
		assert(!exchanges[i].client);
	listener_close(&listeners);
	return 0;
}
