/* SPDX-License-Identifier: MIT */
/*
 * The benchmark's paced client: so many requests a second, however late the answers come. Each
 * connection has its own times at which to ask, and an answer's latency counts from the time at
 * which its request was due, sent or not: what a slow answer holds up is seen.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum {
	CLIENTS_MAX = 1024,
	REQUEST_SIZE = 512,
	ANSWER_SIZE = 65536,
	UUID_LENGTH = 36,
	PATIENCE = 10
};

static const uint64_t SECOND = 1000000000;

struct request {
	char text[REQUEST_SIZE];
	size_t length;
	char policy[UUID_LENGTH + 1]; /* the answer must name it */
};

struct client {
	int socket;
	uint64_t due;                /* of the request that is out, or of the next one */
	const struct request *asked; /* NULL: none is out */
	char answer[ANSWER_SIZE];
	size_t length;
};

struct run {
	struct client *clients;
	int count, epoll;
	struct request *requests;
	size_t request_count, next;
	uint64_t period, end; /* between two requests of a client; when no more is due */
	double *latencies;    /* microseconds */
	size_t answered, room;
	bool any; /* the answers are of no policy */
};

static void __attribute__((noreturn, format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void *allocate(size_t count, size_t size)
{
	void *memory = calloc(count, size);

	if (!memory)
		fail("no memory");
	return memory;
}

static void build(struct request *request, const char *path, const char *key)
{
	size_t length = strlen(path);

	request->length = (size_t)snprintf(request->text, REQUEST_SIZE,
	    "GET %s HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer %s\r\n\r\n", path, key);
	if (request->length >= REQUEST_SIZE || length <= UUID_LENGTH)
		fail("cannot ask for %s", path);
	memcpy(request->policy, path + length - UUID_LENGTH - 1, UUID_LENGTH);
}

/* The file that requests.lua reads: a path and a key each line, already in random order. */
static void read_requests(struct run *run, const char *name)
{
	char path[256], key[256];
	FILE *file = fopen(name, "r");

	if (!file)
		fail("%s: %m", name);
	while (fscanf(file, "%255s %255s", path, key) == 2) {
		run->requests =
		    reallocarray(run->requests, run->request_count + 1, sizeof(*run->requests));
		if (!run->requests)
			fail("no memory");
		run->requests[run->request_count] = (struct request){0};
		build(&run->requests[run->request_count++], path, key);
	}
	fclose(file);
	if (!run->request_count)
		fail("%s has no request", name);
}

static void connect_client(struct run *run, struct client *client, uint16_t port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
	    .sin_port = htons(port),
	    .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
	int on = 1;

	client->socket = socket(AF_INET, SOCK_STREAM, 0);
	if (connect(client->socket, (struct sockaddr *)&address, sizeof(address)) != 0)
		fail("cannot connect: %m");
	setsockopt(client->socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	epoll_ctl(run->epoll, EPOLL_CTL_ADD, client->socket, &event);
}

/* Each client begins at a time of its own within the first period, the same in each run. */
static void connect_clients(struct run *run, uint16_t port)
{
	uint64_t start;

	run->epoll = epoll_create1(0);
	for (int i = 0; i < run->count; i++)
		connect_client(run, &run->clients[i], port);
	srand48(1);
	start = now();
	for (int i = 0; i < run->count; i++)
		run->clients[i].due = start + (uint64_t)(drand48() * (double)run->period);
}

static void ask(struct run *run, struct client *client)
{
	client->asked = &run->requests[run->next++ % run->request_count];
	client->length = 0;
	if (write(client->socket, client->asked->text, client->asked->length) !=
	    (ssize_t)client->asked->length)
		fail("cannot send: %m");
}

/* Asks whatever is due; returns when the next one is, or the last moment of the run. */
static uint64_t ask_due(struct run *run, uint64_t time)
{
	uint64_t next = run->end + PATIENCE * SECOND;

	for (int i = 0; i < run->count; i++) {
		struct client *client = &run->clients[i];

		if (client->asked || client->due >= run->end)
			continue;
		if (client->due <= time)
			ask(run, client);
		else if (client->due < next)
			next = client->due;
	}
	return next;
}

/* The answer's length once its head is there, else 0. */
static size_t whole_length(const struct client *client)
{
	const char *end = strstr(client->answer, "\r\n\r\n");
	const char *length = strcasestr(client->answer, "\r\nContent-Length:");

	if (!end)
		return 0;
	if (!length || length > end)
		fail("an answer without Content-Length: %.200s", client->answer);
	return (size_t)(end + 4 - client->answer) + strtoul(length + 17, NULL, 10);
}

static void check(const struct run *run, const struct client *client)
{
	if (strncmp(client->answer, "HTTP/1.1 200 ", 13) != 0)
		fail("not 200: %.200s", client->answer);
	if (!run->any && !strstr(client->answer, client->asked->policy))
		fail("asked for %s: %.1000s", client->asked->policy, client->answer);
}

static void take(struct run *run, struct client *client)
{
	ssize_t size =
	    read(client->socket, client->answer + client->length, ANSWER_SIZE - 1 - client->length);

	if (size <= 0 || !client->asked)
		fail("the connection is lost: %m");
	client->length += (size_t)size;
	client->answer[client->length] = '\0';
	if (!whole_length(client) || client->length < whole_length(client))
		return;
	check(run, client);
	if (run->answered == run->room)
		fail("more answers than requests");
	run->latencies[run->answered++] = (double)(now() - client->due) / 1000;
	client->due += run->period;
	client->asked = NULL;
}

/* What was due before the end is asked, however late. */
static bool is_over(const struct run *run)
{
	for (int i = 0; i < run->count; i++)
		if (run->clients[i].asked || run->clients[i].due < run->end)
			return false;
	return true;
}

static void turn(struct run *run, uint64_t until)
{
	struct epoll_event events[CLIENTS_MAX];
	uint64_t time = now(), left = until > time ? until - time : 0;
	struct timespec timeout = {
	    .tv_sec = (time_t)(left / SECOND), .tv_nsec = (long)(left % SECOND)};
	int ready = epoll_pwait2(run->epoll, events, CLIENTS_MAX, &timeout, NULL);

	if (ready < 0 && errno != EINTR)
		fail("epoll: %m");
	for (int i = 0; i < ready; i++)
		take(run, events[i].data.ptr);
}

static void ask_all(struct run *run)
{
	while (!is_over(run)) {
		uint64_t time = now();

		if (time >= run->end + PATIENCE * SECOND)
			fail("not all is answered %d s after the end", PATIENCE);
		turn(run, ask_due(run, time));
	}
}

static int ascending(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

static void report(struct run *run, double seconds)
{
	double *sorted = run->latencies;

	if (!run->answered)
		fail("no answer");
	qsort(sorted, run->answered, sizeof(*sorted), ascending);
	printf("{\"requests\":%zu,\"seconds\":%f,\"p50\":%f,\"p99\":%f}\n", run->answered, seconds,
	    sorted[run->answered / 2], sorted[run->answered * 99 / 100]);
}

/* Usage: paced PORT REQUESTS CLIENTS RATE SECONDS [any] */
int main(int argc, char **argv)
{
	struct run run = {.any = argc == 7};
	double rate, seconds;
	uint64_t start;

	if (argc < 6)
		fail("Usage: paced PORT REQUESTS CLIENTS RATE SECONDS [any]");
	run.count = atoi(argv[3]), rate = atof(argv[4]), seconds = atof(argv[5]);
	if (run.count < 1 || run.count > CLIENTS_MAX || rate <= 0 || seconds <= 0)
		fail("no such load");
	prctl(PR_SET_TIMERSLACK, 1);
	read_requests(&run, argv[2]);
	run.clients = allocate((size_t)run.count, sizeof(*run.clients));
	run.room = (size_t)(rate * seconds) + 2 * (size_t)run.count;
	run.latencies = allocate(run.room, sizeof(*run.latencies));
	run.period = (uint64_t)((double)run.count / rate * (double)SECOND);
	connect_clients(&run, (uint16_t)atoi(argv[1]));
	start = now();
	run.end = start + (uint64_t)(seconds * (double)SECOND);
	ask_all(&run);
	report(&run, (double)(now() - start) / (double)SECOND);
	return 0;
}
