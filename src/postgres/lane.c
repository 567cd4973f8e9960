/* SPDX-License-Identifier: MIT */
/* A queue of questions before one connection: gathers them into batches, and gives each question exactly one
 * answer. */
#include "postgres/lane.h"

#include "base/log.h"

#include <assert.h>
#include <string.h>

enum {
	TICK_MS = 20,
	FACTS_MS = 10000,
	OVERDUE_MS = 300,      /* beyond statement_timeout, for the answer to arrive */
	WORTH_ASKING_MS = 250, /* of its budget that a question must have left to be asked again */
	SECOND_BATCH_MIN =
	    32 /* half a batch: smaller second ones cost more than they gain (docs/performance.md) */
};

static void answer_without(struct question *question, enum answer_outcome outcome)
{
	struct answer answer = {.outcome = outcome};

	question->answered(question, &answer);
}

static void enqueue(struct lane *lane, struct question *question, bool first)
{
	question->queued = true;
	lane->queued++;
	if (first)
		list_prepend(&lane->queue, &question->node);
	else
		list_append(&lane->queue, &question->node);
}

static struct question *dequeue(struct lane *lane)
{
	struct question *question = list_entry(lane->queue.next, struct question, node);

	assert(lane->queued > 0 && question->queued);
	list_remove(&question->node);
	question->queued = false;
	lane->queued--;
	return question;
}

static bool is_ready(const struct lane *lane)
{
	return lane->connection.state == CONNECTION_READY;
}

/* The database has been away for longer than a request is to wait for it. */
static bool is_given_up(const struct lane *lane)
{
	return !is_ready(lane) &&
	       uv_now(lane->loop) - lane->connection.changed >= lane->settings->database_wait;
}

static void answer_queued(struct lane *lane, enum answer_outcome outcome)
{
	for (unsigned left = lane->queued; left && lane->queued; left--)
		answer_without(dequeue(lane), outcome);
}

/* Puts the members that may be asked once more back in front of the queue, in their order, and answers the
 * others. */
static void ask_again(
    struct lane *lane, struct batch *batch, enum answer_outcome otherwise, bool alone)
{
	struct question *members[BATCH_MAX];
	unsigned count = batch->count;
	uint64_t earliest = lane->overdue ? 0 : uv_now(lane->loop) + WORTH_ASKING_MS;

	memcpy(members, batch->members, count * sizeof(*members));
	batch_clear(batch);
	while (count--) {
		struct question *question = members[count];
		bool again = !question->withdrawn && !question->asked_again &&
			     question->deadline >= earliest;

		if (!again) {
			answer_without(question, otherwise);
			continue;
		}
		question->asked_again = true;
		question->alone = alone;
		enqueue(lane, question, true);
	}
}

static void answer_all(struct batch *batch, enum answer_outcome outcome)
{
	struct question *members[BATCH_MAX];
	unsigned count = batch->count;

	memcpy(members, batch->members, count * sizeof(*members));
	batch_clear(batch);
	for (unsigned i = 0; i < count; i++)
		answer_without(members[i], outcome);
}

static struct batch *take_oldest(struct lane *lane)
{
	struct batch *batch = lane->in_flight[0];

	assert(lane->in_flight_count > 0);
	lane->in_flight[0] = lane->in_flight[1];
	lane->in_flight_count--;
	if (lane->in_flight_count)
		lane->in_flight[0]->started = uv_now(lane->loop);
	return batch;
}

static bool is_class(const struct batch *batch, const char *class)
{
	return strncmp(batch->sqlstate, class, strlen(class)) == 0;
}

/*
 * What an error means for the members of its batch (PostgreSQL's documentation, appendix A). One by one only
 * where one member's data can be the cause: elsewhere that would multiply every failure by the size of the
 * batch.
 */
static void act_on_error(struct lane *lane, struct batch *batch)
{
	bool none = !*batch->sqlstate, schema = is_class(batch, "42");

	log_warning("asking the database %u questions: %s (SQLSTATE %s)", batch->count,
	    batch->error, none ? "unknown" : batch->sqlstate);
	if (is_class(batch, "22"))
		ask_again(lane, batch, ANSWER_REFUSED, true);
	else if (is_class(batch, "40001") || is_class(batch, "40P01"))
		ask_again(lane, batch, ANSWER_UNAVAILABLE, false);
	else if (is_class(batch, "0A000") || is_class(batch, "26000")) {
		ask_again(lane, batch, ANSWER_REFUSED, false);
		connection_lose(&lane->connection, "its prepared statements are stale");
	} else if (is_class(batch, "57014"))
		answer_all(batch, ANSWER_LATE);
	else if (none || is_class(batch, "57P")) {
		ask_again(lane, batch, ANSWER_UNAVAILABLE, false);
		connection_lose(&lane->connection, "the server ends it");
	} else if (is_class(batch, "53"))
		answer_all(batch, ANSWER_UNAVAILABLE);
	else {
		answer_all(batch, ANSWER_REFUSED);
		if (schema)
			connection_lose(&lane->connection, "the tables are to be checked again");
	}
}

/* A permission may appear, or be made anew under another id; an index may come and go. */
static void on_facts_answered(struct question *question, const struct answer *answer)
{
	struct lane *lane = list_entry(question, struct lane, facts_question);
	const struct session_kind *kind = lane->connection.kind;
	void *facts = lane->connection.session.facts;
	_Alignas(max_align_t) unsigned char before[SESSION_FACTS_MAX];
	const PGresult *rows;

	lane->asks_facts = false;
	if (answer->outcome != ANSWER_GOOD || batch_row(answer, question, 0, &rows) < 0)
		return;
	memcpy(before, facts, sizeof(before));
	kind->read_facts(facts, rows);
	lane->stale = kind->stale ? kind->stale(before, facts) : NULL;
}

static void complete(struct lane *lane)
{
	struct batch *batch = take_oldest(lane);
	const struct session_kind *kind = lane->connection.kind;
	uint64_t now = uv_now(lane->loop), took = now - batch->started;

	if (*batch->error)
		act_on_error(lane, batch);
	else
		batch_answer(batch);
	if (kind->rests && kind->rests(lane->connection.session.facts))
		lane->rests_until = now + took;
	if (lane->stale)
		connection_lose(&lane->connection, lane->stale);
	lane->stale = NULL;
}

static void on_readable(void *owner)
{
	struct lane *lane = owner;

	while (is_ready(lane) && lane->in_flight_count &&
	       !PQisBusy(lane->connection.session.connection)) {
		PGresult *result = PQgetResult(lane->connection.session.connection);
		enum batch_progress progress = batch_take(lane->in_flight[0], result);

		if (progress == BATCH_BROKEN &&
		    PQstatus(lane->connection.session.connection) == CONNECTION_OK)
			connection_lose(&lane->connection, "an answer does not fit its question");
		else if (progress == BATCH_BROKEN)
			break;
		else if (progress == BATCH_COMPLETE)
			complete(lane);
	}
	if (is_ready(lane) && PQstatus(lane->connection.session.connection) == CONNECTION_BAD)
		connection_lose(
		    &lane->connection, PQerrorMessage(lane->connection.session.connection));
}

static void on_tick(uv_timer_t *tick)
{
	struct lane *lane = tick->data;
	uint64_t now = uv_now(lane->loop), limit = lane->settings->statement_timeout + OVERDUE_MS;

	if (lane->in_flight_count && now - lane->in_flight[0]->started >= limit) {
		lane->overdue = true;
		connection_lose(
		    &lane->connection, "it did not answer within statement_timeout and 300 ms");
	}
	if (is_given_up(lane))
		answer_queued(lane, ANSWER_UNAVAILABLE);
	if (!lane->in_flight_count && !lane->queued)
		uv_timer_stop(tick);
}

static void start_ticking(struct lane *lane)
{
	if (!uv_is_active((uv_handle_t *)&lane->tick))
		uv_timer_start(&lane->tick, on_tick, TICK_MS, TICK_MS);
}

static void on_lost(void *owner)
{
	struct lane *lane = owner;

	for (unsigned left = lane->in_flight_count; left; left--)
		ask_again(lane, lane->in_flight[left - 1],
		    lane->overdue ? ANSWER_LATE : ANSWER_UNAVAILABLE, false);
	lane->in_flight_count = 0;
	lane->overdue = false;
	start_ticking(lane);
}

static void on_ready(void *owner)
{
	struct lane *lane = owner;
	const char *warning = lane->connection.kind->warning(lane->connection.session.facts);

	if (lane->follower)
		connection_hurry(&lane->follower->connection);
	if (warning)
		log_warning("%s", warning);
}

static const struct connection_events events = {
    .ready = on_ready, .readable = on_readable, .lost = on_lost};

static struct batch *free_batch(struct lane *lane)
{
	struct batch *first = &lane->batches[0];

	return lane->in_flight_count && lane->in_flight[0] == first ? &lane->batches[1] : first;
}

static bool may_send(const struct lane *lane)
{
	if (!is_ready(lane) || lane->in_flight_count == lane->in_flight_most ||
	    uv_now(lane->loop) < lane->rests_until)
		return false;
	if (lane->in_flight_count == 0)
		return lane->queued > 0;
	return lane->queued >= SECOND_BATCH_MIN;
}

static void fill(struct lane *lane, struct batch *batch)
{
	while (lane->queued && batch->count < BATCH_MAX) {
		bool alone = list_entry(lane->queue.next, struct question, node)->alone;

		if (alone && batch->count)
			break;
		batch_add(batch, dequeue(lane));
		if (alone)
			break;
	}
}

static bool send_batch(struct lane *lane)
{
	struct batch *batch = free_batch(lane);

	fill(lane, batch);
	batch->started = uv_now(lane->loop);
	lane->in_flight[lane->in_flight_count++] = batch;
	if (batch_send(batch, lane->connection.session.connection, lane->connection.session.facts))
		return true;
	connection_lose(&lane->connection, PQerrorMessage(lane->connection.session.connection));
	return false;
}

/* The end of a turn of the loop: everything that asked in it goes out together. */
static void on_turn(uv_prepare_t *turn)
{
	struct lane *lane = turn->data;
	bool sent = false;

	while (may_send(lane) && (sent = send_batch(lane)))
		;
	if (sent)
		connection_flush(&lane->connection);
}

void lane_ask(struct lane *lane, struct question *question)
{
	question->withdrawn = question->asked_again = question->alone = false;
	if (is_given_up(lane) || lane->queued >= lane->most) {
		answer_without(question, ANSWER_UNAVAILABLE);
		return;
	}
	enqueue(lane, question, false);
	start_ticking(lane);
}

static void on_facts(uv_timer_t *timer)
{
	struct lane *lane = timer->data;

	if (lane->asks_facts || !is_ready(lane))
		return;
	lane->asks_facts = true;
	lane->facts_question.wants = 1;
	lane->facts_question.answered = on_facts_answered;
	lane->facts_question.deadline = 0;
	lane_ask(lane, &lane->facts_question);
}

void lane_start(struct lane *lane, uv_loop_t *loop, const struct settings *settings,
    const struct session_kind *kind, unsigned most, struct lane *follower)
{
	*lane =
	    (struct lane){.loop = loop, .settings = settings, .most = most, .follower = follower};
	lane->in_flight_most = kind->in_flight;
	for (unsigned i = 0; i < LANE_IN_FLIGHT_MAX; i++)
		batch_init(&lane->batches[i], kind->set);
	list_init(&lane->queue);
	uv_prepare_init(loop, &lane->turn);
	uv_timer_init(loop, &lane->tick);
	uv_timer_init(loop, &lane->facts);
	lane->turn.data = lane->tick.data = lane->facts.data = lane;
	uv_prepare_start(&lane->turn, on_turn);
	uv_timer_start(&lane->facts, on_facts, FACTS_MS, FACTS_MS);
	connection_start(&lane->connection, loop, settings, kind, &events, lane);
}

bool lane_withdraw(struct lane *lane, struct question *question)
{
	if (!question->queued) {
		question->withdrawn = true;
		return false;
	}
	list_remove(&question->node);
	question->queued = false;
	lane->queued--;
	return true;
}

void lane_stop(struct lane *lane)
{
	connection_stop(&lane->connection);
	uv_close((uv_handle_t *)&lane->turn, NULL);
	uv_close((uv_handle_t *)&lane->tick, NULL);
	uv_close((uv_handle_t *)&lane->facts, NULL);
}

void lane_free(struct lane *lane)
{
	for (unsigned i = 0; i < LANE_IN_FLIGHT_MAX; i++)
		batch_free(&lane->batches[i]);
}
