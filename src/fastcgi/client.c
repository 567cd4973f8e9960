/* SPDX-License-Identifier: MIT */
/* Asks a FastCGI server for one page. */
#include "fastcgi/client.h"

#include "base/buffer.h"
#include "base/clock.h"
#include "fastcgi/record.h"

#include <errno.h>
#include <fastcgi.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { ANSWER_MAX = 4096 };

static void append_stream(struct buffer *request, unsigned type, const struct buffer *content)
{
	if (content && content->length)
		record_append(request, type, 1, content->data, content->length);
	record_append(request, type, 1, "", 0);
}

static void write_request(struct buffer *request, const char *path)
{
	const unsigned char begin[RECORD_BEGIN_SIZE] = {0, FCGI_RESPONDER};
	struct buffer parameters = {0};

	record_append_parameter(&parameters, "REQUEST_METHOD", "GET");
	record_append_parameter(&parameters, "REQUEST_URI", path);
	record_append(request, FCGI_BEGIN_REQUEST, 1, begin, sizeof(begin));
	append_stream(request, FCGI_PARAMS, &parameters);
	append_stream(request, FCGI_STDIN, NULL);
	request->failed |= parameters.failed;
	buffer_free(&parameters);
}

/* The content of the first record: a CGI response begins with its status. */
static bool receive(int descriptor, char answer[ANSWER_MAX], int64_t deadline)
{
	size_t length = 0;

	while (length < ANSWER_MAX - 1 && clock_wait(descriptor, POLLIN, deadline)) {
		ssize_t count = recv(descriptor, answer + length, ANSWER_MAX - 1 - length, 0);

		if (count <= 0)
			break;
		length += (size_t)count;
	}
	answer[length] = '\0';
	return length > RECORD_HEADER_SIZE;
}

static bool send_request(int descriptor, const char *path, int64_t deadline)
{
	struct buffer request = {0};
	bool good;

	write_request(&request, path);
	errno = ENOMEM;
	good =
	    !request.failed && clock_wait(descriptor, POLLOUT, deadline) &&
	    send(descriptor, request.data, request.length, MSG_NOSIGNAL) == (ssize_t)request.length;
	buffer_free(&request);
	return good;
}

bool client_ask(int descriptor, const char *path, int64_t limit, bool *good)
{
	static const char expected[] = "Status: 200 ";
	int64_t deadline = clock_ms() + limit;
	char answer[ANSWER_MAX];

	if (!send_request(descriptor, path, deadline) || !receive(descriptor, answer, deadline))
		return false;
	*good = strncmp(answer + RECORD_HEADER_SIZE, expected, strlen(expected)) == 0;
	return true;
}
