-- SPDX-License-Identifier: MIT
-- What each of these users, none of whom is in a superuser group, may see: sees_all, or else sees_any, at least one
-- policy by an object grant; n is the user's place in $1; $2 is the id of the permission view_eventmatcherpolicy.
-- Every step is an index look-up from the user outwards. The group tree may hold loops and counts down to depth 19
-- (authentik/core/models.py, Group.children_recursive); an object_pk that is no canonical UUID grants nothing.
prepare rights (int[], int) as
select asked.n, access.sees_all,
       case when access.sees_all then true
            else exists (
                 select
                   from guardian_userobjectpermission o
                   join authentik_policies_event_matcher_eventmatcherpolicy e
                     on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                               then o.object_pk::uuid end
                  where o.user_id = asked.id and o.permission_id = $2)
              or exists (
                 select
                   from authentik_core_user_groups r
                   join guardian_groupobjectpermission o on o.group_id = r.group_id and o.permission_id = $2
                   join authentik_policies_event_matcher_eventmatcherpolicy e
                     on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                               then o.object_pk::uuid end
                  where r.user_id = asked.id)
       end as sees_any
  from unnest($1) with ordinality as asked (id, n)
 cross join lateral (
       select case
              when exists (
                   select
                     from authentik_core_user_groups r
                     join auth_group_permissions p on p.group_id = r.group_id and p.permission_id = $2
                    where r.user_id = asked.id) then true
              when exists (
                   select
                     from authentik_core_user_user_permissions p
                    where p.user_id = asked.id and p.permission_id = $2) then true
              else exists (
                   with recursive ancestor (parent_id, is_superuser, depth) as (
                        select g.parent_id, g.is_superuser, 0
                          from authentik_core_user_ak_groups m
                          join authentik_core_group g on g.group_uuid = m.group_id
                         where m.user_id = asked.id
                         union
                        select g.parent_id, g.is_superuser, a.depth + 1
                          from ancestor a
                          join authentik_core_group g on g.group_uuid = a.parent_id
                         where a.depth < 19)
                   select from ancestor where is_superuser)
              end as sees_all
       offset 0) access;
