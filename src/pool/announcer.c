/* SPDX-License-Identifier: MIT */
/* Keeps systemd informed of a pool: ready, reloading, stopping, alive. */
#include "pool/announcer.h"

#include "base/clock.h"
#include "pool/notify.h"

#include <inttypes.h>
#include <stdio.h>

enum { TEXT_SIZE = 200 };

static void tell_ready(uint32_t generation, size_t workers)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text),
	    "READY=1\nSTATUS=generation %" PRIu32 " serves with %zu workers", generation, workers);
	notify_tell(text);
}

/* Type=notify-reload wants to know when it was that the reload began (sd_notify(3)). */
static void tell_reloading(void)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text),
	    "RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=new workers start", clock_ms() * 1000);
	notify_tell(text);
}

static void tell_alive(struct announcer *announcer)
{
	int64_t now = clock_ms(), interval = notify_interval();

	if (!interval || now < announcer->alive_due || announcer->state == ANNOUNCER_STARTING)
		return;
	announcer->alive_due = now + interval;
	notify_tell("WATCHDOG=1");
}

static void tell_news(
    struct announcer *announcer, enum announcer_state state, uint32_t generation, size_t workers)
{
	announcer->state = state;
	announcer->generation = generation;
	if (state == ANNOUNCER_READY)
		tell_ready(generation, workers);
	else if (state == ANNOUNCER_RELOADING)
		tell_reloading();
	else if (state == ANNOUNCER_STOPPING)
		notify_tell("STOPPING=1\nSTATUS=draining");
}

void announcer_tell(
    struct announcer *announcer, enum announcer_state state, uint32_t generation, size_t workers)
{
	bool news = state != announcer->state ||
		    (state == ANNOUNCER_READY && generation != announcer->generation);

	if (announcer->gone)
		return;
	if (news)
		tell_news(announcer, state, generation, workers);
	tell_alive(announcer);
}

void announcer_hand_over(struct announcer *announcer, pid_t pid)
{
	char text[TEXT_SIZE];

	snprintf(text, sizeof(text), "MAINPID=%d\nREADY=1\nSTATUS=upgraded", (int)pid);
	notify_tell(text);
	announcer->gone = true;
}
