-- SPDX-License-Identifier: MIT
-- policy.sql, which says more, for one policy, if it is there: no list is unfolded.
prepare policy_one (uuid) as
select 1 as n, p.name, p.execution_logging,
       cardinality(array (
           select 1 from :"schema".authentik_policies_policybinding b where b.policy_id = $1
            union all
           select 1
             from :"schema".authentik_stages_prompt_promptstage_validation_policies v
            where v.policy_id = $1)) as bound_to,
       e.*
  from :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
  join :"schema".authentik_policies_policy p on p.policy_uuid = e.policy_ptr_id
 where e.policy_ptr_id = $1;
