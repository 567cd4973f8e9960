/* SPDX-License-Identifier: MIT */
/* The set of statements that authentik 2024.8 is asked with. */
#include "authentik/inquiry.h"

#include "authentik/caller.h"
#include "authentik/event_matcher.h"
#include "authentik/facts.h"
#include "authentik/rights.h"

const struct statement *const inquiry_statements[] = {[STATEMENT_FACTS] = &facts_statement,
	[STATEMENT_CALLER] = &caller_statement,
	[STATEMENT_ACCESS_TOKEN] = &caller_token_statement,
	[STATEMENT_POLICY] = &event_matcher_statement,
	[STATEMENT_RIGHTS] = &rights_statement};
