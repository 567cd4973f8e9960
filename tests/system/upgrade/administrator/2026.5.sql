-- SPDX-License-Identifier: MIT
-- On 2026.5 an administrator gives a policy a query.
update authentik_policies_event_matcher_eventmatcherpolicy set query = 'event.user.pk > 1'
 where policy_ptr_id = '00000000-0000-4000-8000-000000000102';
