/* SPDX-License-Identifier: MIT */
/* This program's events, made from events.def. */
#include "event.h"

#define EVENT(id, level, meaning, remedy)                                                          \
	const struct log_event event_##id = {#id, LOG_LEVEL_##level};
#include "events.def"
