/* SPDX-License-Identifier: MIT */
/* Retrieves one event matcher policy. */
#ifndef API_OPERATION_RETRIEVE_H
#define API_OPERATION_RETRIEVE_H

#include "api/operation.h"

extern const struct operation retrieve_event_matcher;

#endif
