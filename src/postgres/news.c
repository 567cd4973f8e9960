/* SPDX-License-Identifier: MIT */
/* Says in the log what becomes of a connection's sessions, without a line for each of many. */
#include "postgres/news.h"

#include "event.h"

#include <stdio.h>
#include <string.h>

enum { TURN_MS = 1000, FEW = 5 };

enum kind { READY, LOST, FAILED, NOTICE, KINDS };

static const struct repeats_kind kinds[KINDS] = {
    [READY] = {&event_session_ready, FEW, "sessions that became ready"},
    [LOST] = {&event_session_lost, FEW, "sessions that were lost"},
    [FAILED] = {&event_question_failed, FEW, "batches of questions that failed"},
    [NOTICE] = {&event_database_notice, FEW, "notices of PostgreSQL"},
};

static void on_timer(uv_timer_t *timer)
{
	struct news *news = timer->data;

	if (!repeats_turn(&news->repeats, uv_now(news->loop)))
		uv_timer_stop(timer);
}

/* Is it to be said? */
static bool take(struct news *news, enum kind kind)
{
	if (!uv_is_active((uv_handle_t *)&news->timer))
		uv_timer_start(&news->timer, on_timer, TURN_MS, TURN_MS);
	return repeats_take(&news->repeats, kind, uv_now(news->loop));
}

void news_start(struct news *news, uv_loop_t *loop, const char *name)
{
	*news =
	    (struct news){.loop = loop, .name = name, .repeats = {.kinds = kinds, .count = KINDS}};
	uv_timer_init(loop, &news->timer);
	news->timer.data = news;
}

static void on_notice(void *context, const char *message)
{
	if (take(context, NOTICE))
		log_event(&event_database_notice, "PostgreSQL says: %s", message);
}

void news_ready(struct news *news, const struct session *session, const char *description)
{
	PQsetNoticeProcessor(session->pg, on_notice, news);
	if (take(news, READY))
		log_event(&event_session_ready, "the %s is ready (%s)", news->name, description);
	if (*session->remarks && log_is_news(session->remarks))
		log_event(&event_session_remark, "%s", session->remarks);
	if (*news->fault)
		log_forget(news->fault);
	*news->fault = '\0';
}

void news_fault(struct news *news, const char *fault)
{
	if (strcmp(news->fault, fault) != 0 && log_is_news(fault))
		log_event(&event_session_failed, "%s", fault);
	snprintf(news->fault, sizeof(news->fault), "%s", fault);
}

void news_lost(struct news *news, const char *reason)
{
	if (take(news, LOST))
		log_event(&event_session_lost, "the %s is lost: %s", news->name, reason);
}

void news_failed(struct news *news, const struct batch *batch)
{
	if (take(news, FAILED))
		log_event(&event_question_failed,
		    "asking the database %u questions: %s (SQLSTATE %s)", batch->count,
		    batch->error, *batch->sqlstate ? batch->sqlstate : "unknown");
}

void news_stop(struct news *news)
{
	repeats_end(&news->repeats);
	uv_close((uv_handle_t *)&news->timer, NULL);
}
