/* SPDX-License-Identifier: MIT */
/* Every path that is served, and by which operation. */
#ifndef API_ROUTES_H
#define API_ROUTES_H

#include "http/request.h"

extern const struct route routes_all[]; /* ends with one without a pattern */

#endif
