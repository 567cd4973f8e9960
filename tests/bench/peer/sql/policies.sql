-- SPDX-License-Identifier: MIT
-- Each policy of $1 that exists; n is its place.
select asked.n, p.name, p.execution_logging,
       (select count(*) from authentik_policies_policybinding b where b.policy_id = asked.id) +
       (select count(*) from authentik_stages_prompt_promptstage_validation_policies v where v.policy_id = asked.id) as bound_to,
       e.action, e.client_ip, e.app, e.model, e.query
  from unnest($1) with ordinality as asked (id, n)
  join authentik_policies_event_matcher_eventmatcherpolicy e on e.policy_ptr_id = asked.id
  join authentik_policies_policy p on p.policy_uuid = asked.id
