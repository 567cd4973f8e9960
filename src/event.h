/* SPDX-License-Identifier: MIT */
/* This program's events, an object for each row of events.def, as event_session_lost. */
#ifndef EVENT_H
#define EVENT_H

#include "base/log.h"

#define EVENT(id, level, meaning, remedy) extern const struct log_event event_##id;
#include "events.def"
#undef EVENT

#endif
