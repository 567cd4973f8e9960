/* SPDX-License-Identifier: MIT */
/* Says once that no request has had an Authorization header: a web server may keep it. */
#include "api/keyless.h"

#include "event.h"

void keyless_note(struct keyless *keyless, const struct request *request)
{
	if (keyless->settled || !request->operation)
		return;
	if (!request->keyless)
		keyless->settled = true;
	else if (++keyless->without == KEYLESS_MANY) {
		keyless->settled = true;
		log_event(&event_key_withheld,
		    "all %d requests so far came without an Authorization header: a web server may "
		    "keep it to "
		    "itself (Apache: CGIPassAuth On; HAProxy: pass-header Authorization)",
		    KEYLESS_MANY);
	}
}
