-- SPDX-License-Identifier: MIT
-- authentik_policies_event_matcher 0027_eventmatcherpolicy_query: a policy may have a query.
alter table authentik_policies_event_matcher_eventmatcherpolicy add column query text;
