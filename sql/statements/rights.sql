-- SPDX-License-Identifier: MIT
-- What each of these users ($1) may see: sees_all, or else of the policies $4[$2:$3] which an object grant names
-- (granted, in their order) and whether one names any policy at all (sees_any); n is the user's place in $1; $5 is the
-- id of the permission view_eventmatcherpolicy.
-- Each step costs more than the one before, and is taken only where that has not decided. Every one is an index
-- look-up from the user outwards. The group tree may hold loops and counts down to depth 19
-- (authentik/core/models.py, Group.children_recursive); an object_pk that is no canonical UUID grants nothing.
prepare rights (int[], int[], int[], uuid[], int) as
select asked.n, global.sees_all, object.granted, any_object.sees_any
  from unnest($1, $2, $3) with ordinality as asked (id, first_policy, last_policy, n)
 cross join lateral (
       select case
              when exists (
                   select
                     from authentik_core_user_groups r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from auth_group_permissions p
                           where p.group_id = r.group_id and p.permission_id = $5
                          offset 0)) then true
              when exists (
                   select
                     from authentik_core_user_user_permissions p
                    where p.user_id = asked.id and p.permission_id = $5) then true
              else exists (
                   with recursive ancestor (parent_id, is_superuser, depth) as (
                        select g.parent_id, g.is_superuser, 0
                          from authentik_core_user_ak_groups m
                          join authentik_core_group g on g.group_uuid = m.group_id
                         where m.user_id = asked.id and (g.is_superuser or g.parent_id is not null)
                         union
                        select g.parent_id, g.is_superuser, a.depth + 1
                          from ancestor a
                          join authentik_core_group g on g.group_uuid = a.parent_id
                         where a.depth < 19)
                   select from ancestor where is_superuser)
              end as sees_all
       offset 0) global
 cross join lateral (
       select case when not global.sees_all then array (
              select case
                     when exists (
                          select
                            from guardian_userobjectpermission o
                            join authentik_policies_event_matcher_eventmatcherpolicy e on e.policy_ptr_id = policy.id
                           where o.user_id = asked.id and o.permission_id = $5 and o.object_pk = policy.id::text
                          offset 0) then true
                     else exists (
                          select
                            from authentik_core_user_groups r
                           where r.user_id = asked.id
                             and exists (
                                 select
                                   from guardian_groupobjectpermission o
                                   join authentik_policies_event_matcher_eventmatcherpolicy e
                                     on e.policy_ptr_id = policy.id
                                  where o.group_id = r.group_id and o.permission_id = $5
                                    and o.object_pk = policy.id::text
                                 offset 0)
                          offset 0)
                     end
                from unnest($4[asked.first_policy : asked.last_policy]) as policy (id))
              end as granted
       offset 0) object
 cross join lateral (
       select case
              when global.sees_all or true = any (object.granted) then true
              when exists (
                   select
                     from guardian_userobjectpermission o
                     join authentik_policies_event_matcher_eventmatcherpolicy e
                       on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                                 then o.object_pk::uuid end
                    where o.user_id = asked.id and o.permission_id = $5
                   offset 0) then true
              else exists (
                   select
                     from authentik_core_user_groups r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from guardian_groupobjectpermission o
                            join authentik_policies_event_matcher_eventmatcherpolicy e
                              on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                                        then o.object_pk::uuid end
                           where o.group_id = r.group_id and o.permission_id = $5
                          offset 0)
                   offset 0)
              end as sees_any) any_object;
