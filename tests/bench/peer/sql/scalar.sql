-- SPDX-License-Identifier: MIT
-- All that one request has to know, in one statement: who holds the key $1, whether they may see the policy $2, and its row.
-- The cheapest right first: a superuser's group of the user's own, a role of the user's own, what comes from ancestors, a grant.
select u.is_active,
       case
       when exists (
            select
              from authentik_core_user_groups m
              join authentik_core_group g on g.group_uuid = m.group_id
             where m.user_id = u.id and g.is_superuser
            offset 0) then true
       when exists (
            select
              from authentik_core_user_roles r
              join guardian_rolemodelpermission p on p.role_id = r.role_id
             where r.user_id = u.id and p.permission_id = $3
            offset 0) then true
       when exists (
            select
              from authentik_core_user_groups m
              join authentik_core_group_roles r on r.group_id = m.group_id
              join guardian_rolemodelpermission p on p.role_id = r.role_id
             where m.user_id = u.id and p.permission_id = $3
            offset 0) then true
       when exists (
            select
              from authentik_core_user_groups m
              join authentik_core_groupancestry a on a.descendant_id = m.group_id
              join authentik_core_group g on g.group_uuid = a.ancestor_id
             where m.user_id = u.id
               and (g.is_superuser
                    or exists (
                       select
                         from authentik_core_group_roles r
                         join guardian_rolemodelpermission p on p.role_id = r.role_id
                        where r.group_id = a.ancestor_id and p.permission_id = $3
                       offset 0))
            offset 0) then true
       when exists (
            select
              from authentik_core_user_roles r
              join guardian_roleobjectpermission o on o.role_id = r.role_id
             where r.user_id = u.id and o.permission_id = $3 and o.object_pk = $2::text
            offset 0) then true
       else exists (
            select
              from authentik_core_user_groups m
             cross join lateral (
                   select m.group_id as id
                    union all
                   select a.ancestor_id from authentik_core_groupancestry a where a.descendant_id = m.group_id) reached
              join authentik_core_group_roles r on r.group_id = reached.id
              join guardian_roleobjectpermission o on o.role_id = r.role_id
             where m.user_id = u.id and o.permission_id = $3 and o.object_pk = $2::text
            offset 0)
       end as sees,
       policy.*
  from (select t.user_id
          from authentik_core_token t
         where t.key = $1 and t.intent = 'api' and (t.expiring and t.expires < now()) is not true
         order by t.token_uuid
         limit 1) t
  join authentik_core_user u on u.id = t.user_id
  left join lateral (
       select p.name, p.execution_logging,
              (select count(*) from authentik_policies_policybinding b where b.policy_id = $2) +
              (select count(*) from authentik_stages_prompt_promptstage_validation_policies v where v.policy_id = $2) as bound_to,
              e.action, e.client_ip, e.app, e.model, e.query
         from authentik_policies_event_matcher_eventmatcherpolicy e
         join authentik_policies_policy p on p.policy_uuid = e.policy_ptr_id
        where e.policy_ptr_id = $2
       offset 0) policy on true
