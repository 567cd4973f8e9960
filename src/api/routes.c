/* SPDX-License-Identifier: MIT */
/* Every path that is served, and by which operation: a row each. */
#include "api/routes.h"

#include "api/operation/retrieve.h"

const struct route routes_all[] = {
    {"GET, HEAD, OPTIONS", "/policies/event_matcher/<policy_uuid>/", &retrieve_event_matcher},
    {NULL, NULL, NULL},
};
