-- SPDX-License-Identifier: MIT
-- Each of these event matcher policies; n is its place in $1. One that is not there has no name: an outer join, unlike an inner
-- one, is not turned around, however small the tables were when it was planned.
-- The row is taken whole, as a release of authentik may bring or drop a column: PostgreSQL then refuses the next
-- execution (0A000, the result's type has changed), and nobody is answered without it. So the columns are to be found
-- by their names, not by their places.
-- bound_to counts bindings, disabled ones too, and the prompt stages that validate with the policy
-- (authentik/policies/api/policies.py, PolicySerializer.get_bound_to). An array's length: an aggregate costs as much to set up
-- as a look-up.
prepare policy (uuid[]) as
select asked.n, p.name, p.execution_logging,
       cardinality(array (
           select 1 from :"schema".authentik_policies_policybinding b where b.policy_id = asked.id
            union all
           select 1
             from :"schema".authentik_stages_prompt_promptstage_validation_policies v
            where v.policy_id = asked.id)) as bound_to,
       e.*
  from unnest($1) with ordinality as asked (id, n)
  left join :"schema".authentik_policies_event_matcher_eventmatcherpolicy e on e.policy_ptr_id = asked.id
  left join :"schema".authentik_policies_policy p on p.policy_uuid = e.policy_ptr_id;
