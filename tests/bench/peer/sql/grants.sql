-- SPDX-License-Identifier: MIT
-- The places n of those pairs of a key ($1) and a policy ($2) of which the key's holder has a grant for the policy.
select asked.n
  from unnest($1, $2) with ordinality as asked (key, policy, n)
 cross join lateral (
       select t.user_id
         from authentik_core_token t
        where t.key = asked.key and t.intent = 'api' and (t.expiring and t.expires < now()) is not true
        order by t.token_uuid
        limit 1) t
 where exists (
       select
         from authentik_core_user_roles r
         join guardian_roleobjectpermission o on o.role_id = r.role_id
        where r.user_id = t.user_id and o.permission_id = $3 and o.object_pk = asked.policy::text
       offset 0)
    or exists (
       select
         from authentik_core_user_groups m
        cross join lateral (
              select m.group_id as id
               union all
              select a.ancestor_id from authentik_core_groupancestry a where a.descendant_id = m.group_id) reached
         join authentik_core_group_roles r on r.group_id = reached.id
         join guardian_roleobjectpermission o on o.role_id = r.role_id
        where m.user_id = t.user_id and o.permission_id = $3 and o.object_pk = asked.policy::text
       offset 0)
