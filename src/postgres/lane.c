/* SPDX-License-Identifier: MIT */
/* A queue before one connection: gathers questions into batches, answers each once. */
#include "postgres/lane.h"

#include "base/clock.h"
#include "base/metric.h"
#include "event.h"
#include "postgres/sqlstate.h"

#include <assert.h>
#include <string.h>

enum {
	TICK_MS = 20,
	WAKING_MS = 1000, /* that a session which has rested may take to be opened */
	FACTS_MS = 10000,
	OVERDUE_MS = 300,      /* beyond statement_timeout, for the answer to arrive */
	WORTH_ASKING_MS = 250, /* of its budget that a question must have left to be asked again */
	SECOND_BATCH_MIN =
	    32 /* half a batch: smaller ones cost more than they gain (docs/design.md) */
};

static const char ambiguous[] = "the database has a row twice, by a view or a lost constraint: who "
				"asks about it is answered 500";

static bool is_ready(const struct lane *lane)
{
	return lane->connection.state == CONNECTION_READY;
}

/* What holds between two events. */
static void lane_check(const struct lane *lane)
{
	assert((lane->queued == 0) == list_empty(&lane->queue));
	assert(lane->in_flight_count <= lane->connection.kind->in_flight);
	assert(is_ready(lane) || lane->in_flight_count == 0);
	for (unsigned i = 0; i < lane->in_flight_count; i++)
		assert(lane->in_flight[i]->count > 0 && lane->in_flight[i]->sent_count > 0);
	assert(lane->in_flight_count < 2 || lane->in_flight[0] != lane->in_flight[1]);
	assert((lane->queued == 0 && lane->in_flight_count == 0) ||
	       uv_is_active((const uv_handle_t *)&lane->tick));
	assert(!lane->stale);
}

/* The only place that changes the state of a question, and the list that it is in. */
static void set_state(struct lane *lane, struct question *question, enum question_state state)
{
	bool listed = question->state == QUESTION_QUEUED || question->state == QUESTION_SHED;

	assert(state != QUESTION_WITHDRAWN || question->state == QUESTION_OUT);
	if (listed)
		list_remove(&question->node);
	lane->queued -= question->state == QUESTION_QUEUED;
	lane->queued += state == QUESTION_QUEUED;
	question->state = state;
}

/* Every answer of a question leaves here. */
static void answer_with(struct lane *lane, struct question *question, const struct answer *answer)
{
	set_state(lane, question, QUESTION_IDLE);
	question->answered(question, answer);
}

uint64_t lane_waited(const struct question *question, uint64_t now_us)
{
	bool queued = question->state == QUESTION_QUEUED;

	return question->waited_us + (queued ? now_us - question->asked_us : 0);
}

static void answer_without(
    struct lane *lane, struct question *question, enum answer_outcome outcome)
{
	const struct answer answer = {.outcome = outcome};

	question->waited_us = lane_waited(question, clock_us());
	answer_with(lane, question, &answer);
}

static struct question *first_of(const struct list *list)
{
	return list_entry(list->next, struct question, node);
}

/* Since when it is away; the leader's session has been opened before. */
static uint64_t away_since(const struct lane *lane)
{
	uint64_t changed = lane->connection.changed;
	uint64_t before = lane->leader ? lane->leader->connection.changed : 0;

	return changed > before ? changed : before;
}

/* The database has been away for longer than a request is to wait for it. */
static bool is_given_up(const struct lane *lane)
{
	uint64_t limit = lane->settings->database_wait;

	if (is_ready(lane))
		return false;
	if (lane->leader && !is_ready(lane->leader))
		return is_given_up(lane->leader);
	if (lane->connection.state == CONNECTION_RESTING)
		return false;
	if (lane->connection.waking && lane->leader && limit < WAKING_MS)
		limit = WAKING_MS; /* it was not away: nobody has needed it */
	if (lane->connection.state == CONNECTION_OPENING)
		limit += limit / 4; /* the last try of that time may bring it yet */
	return uv_now(lane->loop) - away_since(lane) >= limit;
}

/* Answers those that wait now; who asks again by that, waits for the next turn. */
static void answer_queued(struct lane *lane, enum answer_outcome outcome)
{
	for (unsigned left = lane->queued; left && lane->queued; left--)
		answer_without(lane, first_of(&lane->queue), outcome);
}

/* Takes the members out of a batch, which is free then. */
static unsigned take_members(struct batch *batch, struct question *members[BATCH_MEMBERS])
{
	unsigned count = batch->count;

	memcpy(members, batch->members, count * sizeof(*members));
	batch_clear(batch);
	return count;
}

/*
 * Puts a member that may be asked once more back in front of the queue, and answers it otherwise.
 */
static void ask_once_more(
    struct lane *lane, struct question *question, const struct sqlstate *error, uint64_t earliest)
{
	if (question->state == QUESTION_WITHDRAWN || question->deadline < earliest ||
	    question->asked_again >= sqlstate_most(error->again)) {
		answer_without(lane, question, error->otherwise);
		return;
	}
	metric_add(METRIC_WAITS_AGAIN, 1);
	question->asked_again++;
	question->asked_us = clock_us();
	question->alone = error->again == SQLSTATE_ALONE;
	set_state(lane, question, QUESTION_QUEUED);
	list_prepend(&lane->queue, &question->node);
}

/* What an error means for each member of its batch; they stay in their order. */
static void settle_members(
    struct lane *lane, struct batch *batch, const struct sqlstate *error, uint64_t earliest)
{
	struct question *members[BATCH_MEMBERS];
	unsigned count = take_members(batch, members);

	while (count--)
		ask_once_more(lane, members[count], error, earliest);
}

static uint64_t worth_asking(const struct lane *lane)
{
	return uv_now(lane->loop) + WORTH_ASKING_MS;
}

/* The server begins to work on it. */
static void start_batch(const struct lane *lane, struct batch *batch, uint64_t now_us)
{
	batch->started = uv_now(lane->loop);
	batch->started_us = now_us;
}

static struct batch *take_oldest(struct lane *lane)
{
	struct batch *batch = lane->in_flight[0];

	assert(lane->in_flight_count > 0);
	batch->ended_us = clock_us();
	metric_observe_time(METRIC_QUERY, batch->ended_us - batch->started_us);
	lane->in_flight[0] = lane->in_flight[1];
	lane->in_flight_count--;
	if (lane->in_flight_count)
		start_batch(lane, lane->in_flight[0], batch->ended_us);
	return batch;
}

/* Why the connection is lost by an error. */
static enum connection_loss loss_of(const struct batch *batch, const struct sqlstate *error)
{
	if (strcmp(batch->sqlstate, "26000") == 0)
		return CONNECTION_SHARED;
	return error->again == SQLSTATE_ELSEWHERE ? CONNECTION_BROKEN : CONNECTION_STALE;
}

static void act_on_error(struct lane *lane, struct batch *batch)
{
	const struct sqlstate *error = sqlstate_find(batch->sqlstate);
	enum connection_loss loss;

	news_failed(&lane->connection.news, batch);
	loss = loss_of(batch, error);
	settle_members(lane, batch, error, worth_asking(lane));
	if (error->reopen)
		connection_lose(&lane->connection, loss, error->reopen);
}

/* What is there twice is nobody's but who has asked about it. */
static void answer_member(struct lane *lane, struct batch *batch, struct question *member)
{
	const struct answer answer = {.outcome = ANSWER_GOOD, .batch = batch};

	if (!batch_is_ambiguous(batch, member)) {
		answer_with(lane, member, &answer);
		return;
	}
	if (log_is_news(ambiguous))
		log_event(&event_row_twice, "%s", ambiguous);
	answer_without(lane, member, ANSWER_REFUSED);
}

static void answer_members(struct lane *lane, struct batch *batch)
{
	for (unsigned i = 0; i < batch->count; i++)
		answer_member(lane, batch, batch->members[i]);
	batch_clear(batch);
}

/* What the tables hold may change without an error: it is looked at anew, now and then. */
static void on_facts_answered(struct question *question, const struct answer *answer)
{
	struct lane *lane = list_entry(question, struct lane, facts_question);
	const struct session_kind *kind = lane->connection.kind;
	void *facts = lane->connection.session.facts;
	_Alignas(max_align_t) unsigned char before[SESSION_FACTS_MAX];
	const PGresult *rows;

	lane->epoch++; /* even where they cannot be read: what is known ends all the same */
	if (answer->outcome != ANSWER_GOOD || batch_row(answer, question, 0, &rows) < 0)
		return;
	memcpy(before, facts, sizeof(before));
	kind->read_facts(facts, rows);
	connection_recount(&lane->connection);
	lane->stale = kind->stale ? kind->stale(before, facts) : NULL;
}

static void complete(struct lane *lane)
{
	struct batch *batch = take_oldest(lane);
	const struct session_kind *kind = lane->connection.kind;
	uint64_t now = uv_now(lane->loop), took = now - batch->started;
	const char *stale;

	if (*batch->error)
		act_on_error(lane, batch);
	else
		answer_members(lane, batch);
	if (kind->rests && kind->rests(lane->connection.session.facts))
		lane->rests_until = now + took;
	stale = lane->stale;
	lane->stale = NULL;
	if (stale)
		connection_lose(&lane->connection, CONNECTION_STALE, stale);
}

static void on_readable(void *owner)
{
	struct lane *lane = owner;
	enum batch_progress progress = BATCH_GOES_ON;
	PGresult *result;

	while (progress != BATCH_BROKEN && lane->in_flight_count &&
	       connection_next(&lane->connection, &result)) {
		progress = batch_take(lane->in_flight[0], result);
		if (progress == BATCH_COMPLETE)
			complete(lane);
	}
	if (connection_is_broken(&lane->connection))
		connection_break(&lane->connection);
	else if (progress == BATCH_BROKEN)
		connection_lose(
		    &lane->connection, CONNECTION_BROKEN, "an answer does not fit its question");
	lane_check(lane);
}

/* Has the oldest batch been out for too long? */
static bool is_overdue(const struct lane *lane)
{
	uint64_t limit = lane->settings->statement_timeout + OVERDUE_MS;

	return lane->in_flight_count && uv_now(lane->loop) - lane->in_flight[0]->started >= limit;
}

/* What has come while this process stood still is no late answer: it is read before that is judged. */
static void on_tick(uv_timer_t *tick)
{
	struct lane *lane = tick->data;

	if (is_overdue(lane))
		connection_read(&lane->connection);
	if (is_overdue(lane))
		connection_lose(&lane->connection, CONNECTION_OVERDUE,
		    "it did not answer within statement_timeout and 300 ms");
	if (is_given_up(lane))
		answer_queued(lane, ANSWER_UNAVAILABLE);
	if (!lane->in_flight_count && !lane->queued)
		uv_timer_stop(tick);
	lane_check(lane);
}

static void start_ticking(struct lane *lane)
{
	if (!uv_is_active((uv_handle_t *)&lane->tick))
		uv_timer_start(&lane->tick, on_tick, TICK_MS, TICK_MS);
}

/* Of an overdue connection the questions may wait out their own deadlines. */
static void on_lost(void *owner, enum connection_loss loss)
{
	struct lane *lane = owner;
	bool overdue = loss == CONNECTION_OVERDUE;
	struct sqlstate error = *sqlstate_find("");

	error.again = overdue ? SQLSTATE_TOGETHER : error.again;
	error.otherwise = overdue ? ANSWER_LATE : error.otherwise;
	while (lane->in_flight_count)
		settle_members(lane, lane->in_flight[--lane->in_flight_count], &error,
		    overdue ? 0 : worth_asking(lane));
	start_ticking(lane);
	if (lane->leader && lane->queued == 0)
		connection_rest(&lane->connection);
}

/* A session is opened once somebody needs it, and never before the leader's: a pooler may have only one. */
static void wake(struct lane *lane)
{
	if (!lane->leader || is_ready(lane->leader))
		connection_wake(&lane->connection);
}

static void on_idle(uv_timer_t *timer)
{
	struct lane *lane = timer->data;
	uint64_t idle = uv_now(lane->loop) - lane->used, limit = lane->most_idle;
	bool busy = lane->queued || lane->in_flight_count;

	if (is_ready(lane) && !busy && idle >= limit)
		connection_rest(&lane->connection);
	else if (is_ready(lane))
		uv_timer_start(timer, on_idle, idle < limit ? limit - idle : limit, 0);
	lane_check(lane);
}

static void on_ready(void *owner)
{
	struct lane *lane = owner;

	lane->epoch++;
	if (lane->follower && lane->follower->queued) {
		connection_wake(&lane->follower->connection);
		connection_hurry(&lane->follower->connection);
	}
	if (lane->leader)
		uv_timer_start(&lane->idle, on_idle, lane->most_idle, 0);
	lane_check(lane);
}

static const struct connection_events events = {
    .ready = on_ready, .readable = on_readable, .lost = on_lost};

static struct batch *free_batch(struct lane *lane)
{
	struct batch *first = &lane->batches[0];

	return lane->in_flight_count && lane->in_flight[0] == first ? &lane->batches[1] : first;
}

/* A pooler may lend another session after each Sync: what comes behind it is not to be on its way then. */
static unsigned most_in_flight(const struct lane *lane)
{
	return lane->connection.session.unnamed ? 1 : lane->connection.kind->in_flight;
}

static bool may_send(const struct lane *lane)
{
	if (!is_ready(lane) || lane->in_flight_count == most_in_flight(lane) ||
	    uv_now(lane->loop) < lane->rests_until)
		return false;
	if (lane->in_flight_count == 0)
		return lane->queued > 0;
	return lane->queued >= SECOND_BATCH_MIN;
}

static void fill(struct lane *lane, struct batch *batch)
{
	while (lane->queued && batch_has_room(batch, first_of(&lane->queue))) {
		struct question *question = first_of(&lane->queue);

		if (question->alone && batch->count)
			break;
		question->waited_us += batch->started_us - question->asked_us;
		metric_observe_time(METRIC_WAIT, batch->started_us - question->asked_us);
		set_state(lane, question, QUESTION_OUT);
		batch_add(batch, question);
		if (question->alone)
			break;
	}
}

static bool send_batch(struct lane *lane)
{
	struct batch *batch = free_batch(lane);

	start_batch(lane, batch, clock_us());
	batch->epoch = lane->epoch;
	fill(lane, batch);
	metric_observe_size(METRIC_BATCH, batch->count);
	lane->in_flight[lane->in_flight_count++] = batch;
	return connection_send(&lane->connection, batch);
}

/*
 * The end of a turn of the loop: everything that asked in it goes out together, or is told that
 * it cannot.
 */
static void on_turn(uv_prepare_t *turn)
{
	struct lane *lane = turn->data;
	bool sent = false;

	while (!list_empty(&lane->shed))
		answer_without(lane, first_of(&lane->shed), ANSWER_UNAVAILABLE);
	while (may_send(lane) && (sent = send_batch(lane)))
		;
	if (sent)
		connection_flush(&lane->connection);
	lane_check(lane);
}

void lane_ask(struct lane *lane, struct question *question)
{
	bool shed = is_given_up(lane) || lane->queued >= lane->most;

	assert(question->state == QUESTION_IDLE && question->wants);
	if (shed)
		metric_add(is_given_up(lane) ? METRIC_SHED_DATABASE : METRIC_SHED_LOOKUPS, 1);
	question->asked_again = 0;
	question->asked_us = clock_us();
	question->alone = false;
	set_state(lane, question, shed ? QUESTION_SHED : QUESTION_QUEUED);
	list_append(shed ? &lane->shed : &lane->queue, &question->node);
	if (question != &lane->facts_question)
		lane->used = uv_now(lane->loop);
	if (shed)
		return;
	if (!is_ready(lane))
		metric_add(METRIC_WAITS_SESSION, 1);
	else if (lane->in_flight_count)
		metric_add(METRIC_WAITS_BUSY, 1);
	start_ticking(lane);
	wake(lane);
}

static void on_facts(uv_timer_t *timer)
{
	struct lane *lane = timer->data;

	if (lane->facts_question.state == QUESTION_IDLE && is_ready(lane)) {
		metric_add_shared(METRIC_FACTS_ASKED, 1);
		lane_ask(lane, &lane->facts_question);
	}
	lane_check(lane);
}

void lane_start(struct lane *lane, uv_loop_t *loop, const struct settings *settings,
    const struct session_kind *kind, unsigned most, struct lane *leader, uint64_t most_idle)
{
	*lane = (struct lane){.loop = loop,
	    .settings = settings,
	    .most = most,
	    .leader = leader,
	    .most_idle = most_idle};
	assert(kind->in_flight <= LANE_IN_FLIGHT_MAX);
	lane->facts_question = (struct question){.answered = on_facts_answered, .wants = 1};
	for (unsigned i = 0; i < LANE_IN_FLIGHT_MAX; i++)
		batch_init(&lane->batches[i], kind->set);
	list_init(&lane->queue);
	list_init(&lane->shed);
	uv_prepare_init(loop, &lane->turn);
	uv_timer_init(loop, &lane->tick);
	uv_timer_init(loop, &lane->facts);
	uv_timer_init(loop, &lane->idle);
	lane->turn.data = lane->tick.data = lane->facts.data = lane->idle.data = lane;
	uv_prepare_start(&lane->turn, on_turn);
	uv_timer_start(&lane->facts, on_facts, FACTS_MS, FACTS_MS);
	connection_start(&lane->connection, loop, settings, kind, &events, lane);
	if (leader)
		leader->follower = lane;
	else
		connection_wake(&lane->connection);
}

bool lane_withdraw(struct lane *lane, struct question *question)
{
	bool out = question->state == QUESTION_OUT;

	set_state(lane, question, out ? QUESTION_WITHDRAWN : QUESTION_IDLE);
	return !out;
}

void lane_read(struct lane *lane)
{
	connection_read(&lane->connection);
}

const void *lane_facts(const struct lane *lane)
{
	return lane->connection.session.facts;
}

uint64_t lane_epoch(const struct lane *lane)
{
	return lane->connection.session.unnamed ? 0 : lane->epoch;
}

int lane_backend(const struct lane *lane)
{
	return is_ready(lane) ? PQbackendPID(lane->connection.session.pg) : 0;
}

uint64_t lane_now(const struct lane *lane)
{
	return uv_now(lane->loop);
}

void lane_stop(struct lane *lane)
{
	connection_stop(&lane->connection);
	uv_close((uv_handle_t *)&lane->turn, NULL);
	uv_close((uv_handle_t *)&lane->tick, NULL);
	uv_close((uv_handle_t *)&lane->facts, NULL);
	uv_close((uv_handle_t *)&lane->idle, NULL);
}

void lane_free(struct lane *lane)
{
	for (unsigned i = 0; i < LANE_IN_FLIGHT_MAX; i++)
		batch_free(&lane->batches[i]);
}
