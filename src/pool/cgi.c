/* SPDX-License-Identifier: MIT */
/* Plain CGI (RFC 3875): a request from the environment, a response on stdout. */
#include "pool/cgi.h"

#include "api/exchange.h"
#include "authentik/catalogue.h"
#include "event.h"
#include "pool/loop.h"
#include "pool/sandbox.h"
#include "pool/spawner.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

struct cgi {
	uv_loop_t loop;
	struct spawner spawner;
	struct lane common, slow;
	struct exchanges exchanges;
	bool replied, failed;
};

/* A standard output that does not block is waited for, as one that blocks would be. */
static bool wait_for_reader(void)
{
	struct pollfd reader = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&reader, 1, -1) >= 0 || errno == EINTR;
}

static bool write_all(const char *bytes, size_t length)
{
	while (length) {
		ssize_t written = write(STDOUT_FILENO, bytes, length);

		if (written < 0 && (errno == EINTR || (errno == EAGAIN && wait_for_reader())))
			continue;
		if (written < 0) {
			log_event(
			    &event_response_unwritten, "writing the response: %s", strerror(errno));
			return false;
		}
		bytes += written;
		length -= (size_t)written;
	}
	return true;
}

static void reply(void *client, const struct iovec *parts, int count)
{
	struct cgi *cgi = client;

	for (int i = 0; i < count && !cgi->failed; i++)
		cgi->failed = !write_all(parts[i].iov_base, parts[i].iov_len);
	cgi->replied = true;
	uv_stop(&cgi->loop);
}

/* The rest of the environment is the web server's own, and may hold what no request may. */
static bool is_of_request(const char *variable)
{
	static const char *const names[] = {"HTTP_",
	    "REQUEST_METHOD=", "REQUEST_URI=", "SCRIPT_NAME=", "PATH_INFO=", "QUERY_STRING="};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0 && strchr(variable, '='))
			return true;
	return false;
}

static enum parameters_status read_environment(
    struct parameter pairs[PARAMETERS_MAX], size_t *count)
{
	for (char **variable = environ; *variable; variable++) {
		size_t length = strcspn(*variable, "=");

		if (!is_of_request(*variable))
			continue;
		if (*count == PARAMETERS_MAX)
			return PARAMETERS_TOO_MANY;
		pairs[(*count)++] = (struct parameter){.name = *variable,
		    .value = *variable + length + 1,
		    .name_length = length,
		    .value_length = strlen(*variable + length + 1)};
	}
	return PARAMETERS_GOOD;
}

static bool start(struct cgi *cgi, const struct settings *settings)
{
	if (!loop_init(&cgi->loop) || !spawner_start(&cgi->spawner, settings))
		return false;
	cgi->loop.data = &cgi->spawner.threads;
	lane_start(&cgi->common, &cgi->loop, settings, &catalogue_common, 1, NULL, 0);
	lane_start(&cgi->slow, &cgi->loop, settings, &catalogue_slow, 1, &cgi->common,
	    settings->token_session_idle);
	return exchange_start(&cgi->exchanges, &cgi->loop, settings, &cgi->common, &cgi->slow);
}

static void ask(
    struct cgi *cgi, enum parameters_status status, const struct parameter *pairs, size_t count)
{
	struct handler handler = exchange_handler(&cgi->exchanges, reply);
	struct buffer response = {0};
	void *exchange = handler.begin(handler.context, cgi, status, pairs, count, &response);
	struct iovec answered;

	if (!exchange || !handler.end(exchange, &response)) {
		answered = (struct iovec){response.data, response.length};
		reply(cgi, response.failed ? &handler.overloaded : &answered, 1);
	}
	buffer_free(&response);
}

int cgi_run(const struct settings *settings)
{
	static struct cgi cgi;
	struct parameter pairs[PARAMETERS_MAX];
	size_t count = 0;
	enum parameters_status status = read_environment(pairs, &count);

	if (!start(&cgi, settings) || !sandbox_enter(settings, SANDBOX_LOOP)) {
		log_event(&event_start_failed, "answering a CGI request: no memory, or no sandbox");
		return 1;
	}
	ask(&cgi, status, pairs, count);
	while (!cgi.replied && uv_run(&cgi.loop, UV_RUN_DEFAULT) != 0)
		;
	/*
	 * What the loop still holds ends with the process: a thread may be connecting, and the
	 * client should not wait.
	 */
	_exit(cgi.replied && !cgi.failed ? 0 : 1);
}
