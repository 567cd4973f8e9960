/* SPDX-License-Identifier: MIT */
/* Known answers: what PostgreSQL has said, and when it may be said once more. */
#include "api/known.h"

#include "authentik/facts.h"
#include "authentik/snapshot.h"
#include "base/log.h"
#include "base/metric.h"
#include "event.h"

#include <assert.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

enum {
	LOOKS = 16, /* after as many it is judged whether they are worth it */
	REST_LEAST_MS = 500,
	REST_MOST_MS = 8000
};

static_assert(KNOWN_SECRET == crypto_shorthash_siphashx24_KEYBYTES &&
		  FINDINGS_DIGEST == crypto_shorthash_siphashx24_BYTES,
    "a digest is one of SipHash-2-4 with 128 bits");

/* Each state's metric, and why nothing is known, for the log; NULL: not told there. */
static const struct {
	enum metric metric;
	const char *because;
} states[] = {
    [KNOWN_OFF] = {METRIC_KNOWN_OFF, NULL},
    [KNOWN_USED] = {METRIC_KNOWN_USED, NULL},
    [KNOWN_COMMITS] = {METRIC_KNOWN_COMMITS, NULL},
    [KNOWN_STANDBY] = {METRIC_KNOWN_STANDBY, "the server is a standby"},
    [KNOWN_FORBIDDEN] = {METRIC_KNOWN_FORBIDDEN, "the role may not call pg_current_snapshot()"},
    [KNOWN_OBSTACLE] = {METRIC_KNOWN_OBSTACLE, NULL},
    [KNOWN_POOLER] = {METRIC_KNOWN_POOLER, "a pooler lends its sessions to others as well"},
};

/* The only place that changes the state. */
static void set_state(struct known *known, enum known_state state, const char *because)
{
	if (known->state == state)
		return;
	metric_set(states[known->state].metric, 0);
	metric_set(states[state].metric, 1);
	known->state = state;
	if (!because)
		return;
	snprintf(known->because, sizeof(known->because), "%s", because);
	if (log_is_news(known->because))
		log_event(
		    &event_known_answers_off, "every answer is asked for in full: %s", because);
}

/* What has been said of why nothing was known has passed. */
static void say_used(struct known *known)
{
	if (!*known->because)
		return;
	log_event(&event_known_answers_on, "answers that are known are given again");
	log_forget(known->because);
	*known->because = '\0';
}

bool known_start(struct known *known, const struct lane *lane, size_t size)
{
	*known = (struct known){
	    .lane = lane, .rest = REST_LEAST_MS, .state = size ? KNOWN_USED : KNOWN_OFF};
	metric_set(states[known->state].metric, 1);
	if (sodium_init() < 0)
		return false;
	randombytes_buf(known->secret, sizeof(known->secret));
	return store_start(&known->store, size);
}

void known_free(struct known *known)
{
	store_free(&known->store);
	buffer_free(&known->stamp);
	sodium_memzero(known->secret, sizeof(known->secret));
}

/* What the server, the session and the last looks allow now. */
static enum known_state find_state(const struct known *known)
{
	const struct facts *facts = lane_facts(known->lane);
	uint64_t epoch = lane_epoch(known->lane);

	if (!known->store.size)
		return KNOWN_OFF;
	if (!epoch)
		return KNOWN_POOLER;
	if (facts->standby)
		return KNOWN_STANDBY;
	if (!facts->snapshots)
		return KNOWN_FORBIDDEN;
	if (known->obstacle_in == epoch)
		return KNOWN_OBSTACLE;
	return lane_now(known->lane) < known->rests_until ? KNOWN_COMMITS : KNOWN_USED;
}

/* What was found in another session, or before the facts were read again, need not be looked at any more. */
static void follow(struct known *known)
{
	uint64_t epoch = lane_epoch(known->lane);

	if (epoch == known->epoch)
		return;
	known->epoch = epoch;
	known->fit = false;
	store_empty(&known->store);
}

unsigned known_wants(struct known *known)
{
	enum known_state state;

	if (!lane_backend(known->lane))
		return 0; /* nothing is known yet of the server that will answer */
	follow(known);
	state = find_state(known);
	set_state(known, state, states[state].because);
	if (state != KNOWN_USED)
		return 0;
	return INQUIRY_SNAPSHOT | (known->fit ? 0 : INQUIRY_KNOWABLE);
}

/*
 * Where most looks find another snapshot, asking at once is cheaper than looking first: for a while, which grows as long as
 * that goes on.
 */
static void judge(struct known *known, bool changed)
{
	known->looks++;
	known->changes += changed;
	if (changed)
		metric_add(METRIC_KNOWN_CHANGED, 1);
	if (known->looks < LOOKS)
		return;
	if (known->changes * 2 <= known->looks) {
		known->rest = REST_LEAST_MS;
	} else {
		known->rests_until = lane_now(known->lane) + known->rest;
		known->rest = known->rest * 2 < REST_MOST_MS ? known->rest * 2 : REST_MOST_MS;
	}
	known->looks = known->changes = 0;
}

/*
 * The stamp: the snapshot's text, and the epoch, by which nothing outlives its session (failover, a restored database) or the
 * next reading of the facts: a commit leaves the running transactions before other sessions hear of what it has granted,
 * revoked or renamed, or of a table's new child, so that a statement in between has the new snapshot with the old definition.
 */
static bool hold(struct known *known, const struct snapshot *snapshot)
{
	struct buffer *stamp = &known->stamp;

	buffer_clear(stamp);
	buffer_append(stamp, &known->epoch, sizeof(known->epoch));
	buffer_append_text(stamp, snapshot->text);
	if (stamp->failed) {
		store_empty(&known->store);
		return false;
	}
	return store_hold(&known->store, buffer_slice(stamp), snapshot->now);
}

/*
 * May what this batch has found be kept? Each batch is looked at once. One whose parameters were made of earlier facts (the
 * permission's id) has not been asked what would be asked now.
 */
static void look(struct known *known, const struct snapshot *snapshot, const struct batch *batch)
{
	bool ours = snapshot->backend == lane_backend(known->lane);
	bool same = false, current = batch->epoch == lane_epoch(known->lane);

	follow(known);
	known->held = ours && current && find_state(known) <= KNOWN_COMMITS;
	if (known->held)
		same = hold(known, snapshot);
	else
		store_empty(&known->store);
	if (known->held && known->fit && !same)
		judge(known, true);
	known->unjudged = same;
	known->fit &= same;
}

/* Whether what the tables show follows from the snapshot. */
static void note_obstacle(struct known *known, const char *obstacle)
{
	known->fit = !obstacle;
	if (known->fit) {
		say_used(known);
		return;
	}
	known->held = false;
	known->obstacle_in = known->epoch;
	set_state(known, KNOWN_OBSTACLE, obstacle);
}

/* Asked for nothing but to hear whether what is known still holds: that a question in full finds the same saves nothing. */
static bool is_recall(unsigned wants)
{
	return !(wants & ~(unsigned)(INQUIRY_SNAPSHOT | INQUIRY_KNOWABLE));
}

static bool is_looked_at(const struct known *known, const struct batch *batch)
{
	return known->batch == batch && known->number == batch->number;
}

bool known_look(struct known *known, const struct answer *answer, const struct inquiry *inquiry)
{
	unsigned wants = inquiry->question.wants;
	struct snapshot snapshot;

	if (!(wants & INQUIRY_SNAPSHOT))
		return false;
	if (!is_looked_at(known, answer->batch)) {
		snapshot = snapshot_read(answer, inquiry);
		look(known, &snapshot, answer->batch);
		known->batch = answer->batch;
		known->number = answer->batch->number;
	}
	if (known->unjudged && is_recall(wants)) {
		known->unjudged = false;
		judge(known, false);
	}
	if (known->held && !known->fit && wants & INQUIRY_KNOWABLE)
		note_obstacle(known, snapshot_obstacle(answer, inquiry));
	return known->held && known->fit;
}

void known_digest(
    const struct known *known, const struct inquiry *inquiry, unsigned char digest[FINDINGS_DIGEST])
{
	if (known->state != KNOWN_OFF)
		crypto_shorthash_siphashx24(
		    digest, inquiry->key, inquiry->key_length, known->secret);
}
