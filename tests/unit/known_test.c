/* SPDX-License-Identifier: MIT */
/* When what was found may be said once more: rows of a batch in, yes or no out. */
#include "api/known.h"

#include "authentik/facts.h"
#include "base/log.h"
#include "base/metric.h"
#include "sample_rows.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define NOON "2026-11-29 12:00:00+00"
#define LATER "2026-11-29 12:00:01+00"

enum { FIT = INQUIRY_SNAPSHOT | INQUIRY_KNOWABLE, LOOK = INQUIRY_SNAPSHOT };

static uv_loop_t loop; /* only its time is looked at */
static struct lane lane;
static struct known known;
static struct batch batch;
static struct metric_counts counts;
static const struct store_key key = {{1, 2, 3}};

/* What a batch says of the server. */
struct seen {
	const char *snapshot, *now, *backend, *obstacle;
};

#define OURS "4242" /* our session's process */

/* What a server says to whom it lets in: that it does, its process 4242 and a secret, that it is ready. */
static const unsigned char welcome[] = {
    'R', 0, 0, 0, 8, 0, 0, 0, 0, 'K', 0, 0, 0, 12, 0, 0, 16, 146, 0, 0, 0, 1, 'Z', 0, 0, 0, 5, 'I'};

static void serve_one(int listener)
{
	unsigned char asked[1000];
	int client = accept(listener, NULL, NULL);

	if (read(client, asked, sizeof(asked)) > 0 &&
	    write(client, welcome, sizeof(welcome)) == sizeof(welcome))
		while (read(client, asked, sizeof(asked)) > 0)
			;
	_exit(0);
}

/* A connection of libpq to a process that says no more than that. */
static PGconn *connect_to_somebody(void)
{
	char directory[] = "/tmp/em-unit.XXXXXX", conninfo[100];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);
	PGconn *connection;

	cr_assert(mkdtemp(directory));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/.s.PGSQL.5432", directory);
	cr_assert_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	cr_assert_eq(listen(listener, 1), 0);
	if (fork() == 0)
		serve_one(listener);
	snprintf(
	    conninfo, sizeof(conninfo), "host=%s port=5432 user=x passfile=/dev/null", directory);
	connection = PQconnectdb(conninfo);
	cr_assert_eq(PQstatus(connection), CONNECTION_OK, "%s", PQerrorMessage(connection));
	close(listener);
	unlink(address.sun_path);
	rmdir(directory);
	return connection;
}

static struct facts *facts(void)
{
	return (struct facts *)(void *)lane.connection.session.facts;
}

static void start_with(size_t size)
{
	counts = (struct metric_counts){0};
	metric_here = &counts;
	lane = (struct lane){.loop = &loop, .epoch = 1};
	lane.connection.state = CONNECTION_READY;
	lane.connection.session.pg = connect_to_somebody();
	facts()->snapshots = true;
	cr_assert(known_start(&known, &lane, size));
}

static void start(void)
{
	start_with(65536);
}

static void end(void)
{
	batch_clear(&batch);
	known_free(&known);
	PQfinish(lane.connection.session.pg);
}

TestSuite(known, .init = start, .fini = end);

static void answer_part(unsigned index, int count, const char *const texts[])
{
	batch.parts[index].rows = sample_row(count, texts);
	batch.parts[index].row_of[0] = 0;
}

/* Asks in the batch that is being read. */
static bool look_again(unsigned wants)
{
	const struct answer answer = {.outcome = ANSWER_GOOD, .batch = &batch};
	const struct inquiry inquiry = {.question.wants = wants};

	return known_look(&known, &answer, &inquiry);
}

/* A new batch in which somebody wants that, and which was sent in that epoch. */
static bool look_in(uint64_t asked_in, unsigned wants, struct seen seen)
{
	const char *const snapshot[] = {"1", seen.snapshot, seen.now, seen.backend};
	const char *const knowable[] = {"1", seen.obstacle};

	batch_clear(&batch);
	batch.epoch = asked_in;
	answer_part(STATEMENT_SNAPSHOT, 4, snapshot);
	answer_part(STATEMENT_KNOWABLE, 2, knowable);
	return look_again(wants);
}

static bool look(unsigned wants, struct seen seen)
{
	return look_in(lane.epoch, wants, seen);
}

static const struct seen same = {"7:7:", NOON, OURS, NULL};

/* The first look of a session, after which something is known. */
static void learn(void)
{
	cr_assert_neq(known_wants(&known), 0);
	cr_assert(look(FIT, same));
	store_keep(&known.store, &key, SLICE("value"), NULL);
	cr_assert_eq(known_wants(&known), LOOK);
}

static bool is_known(void)
{
	return store_find(&known.store, &key).text;
}

static void expect_state(enum metric metric, enum known_state state)
{
	cr_assert_eq(known.state, state);
	cr_assert_eq(metric_read(&counts, metric), 1);
	cr_assert_eq(metric_read(&counts, METRIC_KNOWN_USED), state == KNOWN_USED);
}

Test(known, what_was_found_is_known_while_the_snapshot_is_the_same)
{
	learn();
	cr_assert(look(LOOK, same) && is_known());
	cr_assert(look(LOOK, (struct seen){"7:7:", LATER, OURS, NULL}) && is_known());
}

Test(known, nothing_is_known_once_the_snapshot_has_changed_until_the_tables_are_found_fit)
{
	learn();
	cr_assert_not(look(LOOK, (struct seen){"7:8:7", NOON, OURS, NULL}));
	cr_assert_not(is_known());
	cr_assert_eq(known_wants(&known), FIT);
	cr_assert_not(
	    look(LOOK, (struct seen){"7:8:7", NOON, OURS, NULL}), "nobody has asked that");
	cr_assert(look(FIT, (struct seen){"7:8:7", NOON, OURS, NULL}));
	cr_assert_not(is_known());
}

Test(known, who_asks_together_with_who_looks_is_told_the_same)
{
	cr_assert(look(FIT, same));
	cr_assert(look_again(LOOK) && look_again(FIT));
	cr_assert_not(look_again(INQUIRY_CALLER), "but not who did not want to know");
	cr_assert_not(look(LOOK, (struct seen){"8:8:", NOON, OURS, NULL}));
	cr_assert_not(look_again(LOOK));
	cr_assert(look_again(FIT) && look_again(LOOK));
}

Test(known, of_another_process_of_the_server_nothing_is_known)
{
	learn();
	cr_assert_not(look(LOOK, (struct seen){"7:7:", NOON, "4711", NULL}));
	cr_assert_not(is_known());
	cr_assert_not(look(FIT, (struct seen){"7:7:", NOON, "4711", NULL}));
	store_keep(&known.store, &key, SLICE("value"), NULL);
	cr_assert_not(is_known());
}

Test(known, nothing_is_asked_nor_told_before_there_is_a_session)
{
	facts()->snapshots = false;
	lane.connection.state = CONNECTION_OPENING;
	cr_assert_eq(known_wants(&known), 0);
	expect_state(METRIC_KNOWN_USED, KNOWN_USED);
}

Test(known, nothing_outlives_a_session_or_a_reading_of_the_facts)
{
	learn();
	lane.epoch++;
	cr_assert_not(look(LOOK, same));
	cr_assert_not(is_known());
	cr_assert(look(FIT, same) && !is_known());
	learn();
	lane.epoch++;
	cr_assert_eq(known_wants(&known), FIT);
	cr_assert_not(is_known(), "so that nobody looks in vain");
	cr_assert_eq(metric_read(&counts, METRIC_KNOWN_CHANGED), 0, "that was no commit");
}

Test(known, what_was_asked_for_before_a_reading_of_the_facts_is_not_known_after_it)
{
	learn();
	lane.epoch++;
	cr_assert_not(look_in(lane.epoch - 1, FIT, same));
	store_keep(&known.store, &key, SLICE("value"), NULL);
	cr_assert_not(is_known());
	learn();
}

/* Nothing is asked for, and what is answered to who asked before is not used. */
static void expect_unknown(enum metric metric, enum known_state state)
{
	cr_assert_eq(known_wants(&known), 0);
	expect_state(metric, state);
	cr_assert_not(look(FIT, same));
	cr_assert_not(is_known());
}

Test(known, nothing_is_known_of_a_standby_and_again_once_it_is_none)
{
	learn();
	facts()->standby = true;
	expect_unknown(METRIC_KNOWN_STANDBY, KNOWN_STANDBY);
	facts()->standby = false;
	learn();
	expect_state(METRIC_KNOWN_USED, KNOWN_USED);
}

Test(known, nothing_is_known_without_the_right_to_the_snapshot)
{
	learn();
	facts()->snapshots = false;
	expect_unknown(METRIC_KNOWN_FORBIDDEN, KNOWN_FORBIDDEN);
}

Test(known, nothing_is_known_of_a_session_that_is_lent)
{
	struct unnamed *unnamed = (struct unnamed *)(void *)&batch; /* that there is one says it */

	learn();
	lane.connection.session.unnamed = unnamed;
	expect_unknown(METRIC_KNOWN_POOLER, KNOWN_POOLER);
	lane.connection.session.unnamed = NULL;
}

Test(known, nothing_is_known_of_a_view_until_the_next_reading_of_the_facts)
{
	const struct seen view = {"7:7:", NOON, OURS, "authentik_core_user is a view"};

	cr_assert_eq(known_wants(&known), FIT);
	cr_assert_not(look(FIT, view));
	store_keep(&known.store, &key, SLICE("value"), NULL);
	expect_unknown(METRIC_KNOWN_OBSTACLE, KNOWN_OBSTACLE);
	cr_assert_str_eq(known.because, "authentik_core_user is a view");
	lane.epoch++;
	learn();
	cr_assert_str_eq(known.because, "", "that it has passed is told once");
	expect_state(METRIC_KNOWN_USED, KNOWN_USED);
}

Test(known, a_view_that_comes_is_seen_with_the_snapshot_that_it_came_under)
{
	learn();
	cr_assert_not(look(LOOK, (struct seen){"8:8:", NOON, OURS, "a is a view"}));
	cr_assert_not(look(FIT, (struct seen){"8:8:", NOON, OURS, "a is a view"}));
	expect_unknown(METRIC_KNOWN_OBSTACLE, KNOWN_OBSTACLE);
}

Test(known, of_no_size_it_knows_nothing)
{
	end();
	start_with(0);
	expect_unknown(METRIC_KNOWN_OFF, KNOWN_OFF);
	cr_assert_not(look(LOOK, same));
}

Test(known, what_expires_is_not_known_after_that)
{
	cr_assert(look(FIT, same));
	store_keep(&known.store, &key, SLICE("value"), LATER);
	cr_assert(look(LOOK, (struct seen){"7:7:", LATER, OURS, NULL}) && is_known());
	cr_assert_not(look(LOOK, (struct seen){"7:7:", "2026-11-29 12:00:01.5+00", OURS, NULL}));
	cr_assert_not(is_known());
}

static void look_at(int number)
{
	char text[40];

	sprintf(text, "%d:%d:", number, number);
	look(FIT, (struct seen){text, NOON, OURS, NULL});
}

/* So many looks, each of which finds another snapshot, or each second one. */
static void look_often(int count, int apart)
{
	static int number;

	for (int i = 0; i < count; i++) {
		number += i % apart == 0;
		look_at(number);
	}
}

Test(known, where_most_looks_find_another_snapshot_it_rests_for_a_while_that_grows)
{
	uint64_t rests[6] = {0};

	for (int i = 0; i < 6; i++) {
		look_often(17, 1);
		cr_assert_eq(known_wants(&known), 0);
		expect_state(METRIC_KNOWN_COMMITS, KNOWN_COMMITS);
		rests[i] = known.rests_until - loop.time;
		loop.time = known.rests_until - 1;
		cr_assert_eq(known_wants(&known), 0);
		loop.time++;
		cr_assert_neq(known_wants(&known), 0);
		cr_assert(i == 0 || rests[i] == 2 * rests[i - 1] || rests[i] == rests[i - 1]);
	}
	cr_assert_eq(rests[5], 8000);
}

Test(known, where_half_of_them_do_not_it_goes_on)
{
	look_often(200, 2);
	cr_assert_neq(known_wants(&known), 0);
	expect_state(METRIC_KNOWN_USED, KNOWN_USED);
}

Test(known, where_three_of_five_find_another_it_rests)
{
	static const int snapshots[] = {0, 0, 1, 1, 2};

	for (int i = 0; i < 40; i++)
		look_at(10 * (i / 5) + snapshots[i % 5]);
	cr_assert_eq(known_wants(&known), 0);
	expect_state(METRIC_KNOWN_COMMITS, KNOWN_COMMITS);
}

/* As where one client asks, and something is committed before each of its requests. */
Test(known, where_only_questions_in_full_find_the_same_it_rests_too)
{
	char text[40];

	learn();
	for (int i = 100; known_wants(&known); i++) {
		sprintf(text, "%d:%d:", i, i);
		cr_assert_not(look(LOOK, (struct seen){text, NOON, OURS, NULL}));
		cr_assert(look(FIT | INQUIRY_CALLER, (struct seen){text, NOON, OURS, NULL}));
		cr_assert_lt(i, 200);
	}
	expect_state(METRIC_KNOWN_COMMITS, KNOWN_COMMITS);
}

Test(known, where_nothing_could_be_recalled_it_rests_too)
{
	char text[40];

	learn();
	for (int i = 100; known_wants(&known); i++) {
		sprintf(text, "%d:%d:", i, i);
		look(FIT | INQUIRY_CALLER, (struct seen){text, NOON, OURS, NULL});
		cr_assert_lt(i, 200);
	}
	expect_state(METRIC_KNOWN_COMMITS, KNOWN_COMMITS);
}

Test(known, each_snapshot_that_has_changed_is_counted)
{
	learn();
	cr_assert_eq(metric_read(&counts, METRIC_KNOWN_CHANGED), 0);
	look(LOOK, (struct seen){"8:8:", NOON, OURS, NULL});
	look(FIT, (struct seen){"8:8:", NOON, OURS, NULL});
	cr_assert_eq(metric_read(&counts, METRIC_KNOWN_CHANGED), 1);
}

/* 0x4eac0c95540867e4 is the FNV-1a of both. */
Test(known, two_keys_with_one_plain_hash_have_two_digests)
{
	static const char *const keys[] = {"8yn0iYCKYHlIj4-BwPqk", "GReLUrM4wMqfg9yzV3KQ"};
	unsigned char digests[2][FINDINGS_DIGEST];

	for (int i = 0; i < 2; i++) {
		const struct inquiry inquiry = {
		    .key = (const unsigned char *)keys[i], .key_length = strlen(keys[i])};

		known_digest(&known, &inquiry, digests[i]);
	}
	cr_assert_neq(memcmp(digests[0], digests[1], FINDINGS_DIGEST), 0);
}

Test(known, a_key_has_one_digest_here_and_another_in_the_next_process)
{
	const struct inquiry inquiry = {.key = (const unsigned char *)"key", .key_length = 3};
	unsigned char one[FINDINGS_DIGEST], again[FINDINGS_DIGEST], other[FINDINGS_DIGEST];

	known_digest(&known, &inquiry, one);
	known_digest(&known, &inquiry, again);
	cr_assert_eq(memcmp(one, again, FINDINGS_DIGEST), 0);
	end();
	start();
	known_digest(&known, &inquiry, other);
	cr_assert_neq(memcmp(one, other, FINDINGS_DIGEST), 0);
}
