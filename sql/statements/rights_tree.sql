-- SPDX-License-Identifier: MIT
-- What each of these users ($1) may see: sees_all, or else of the policies $5[$3:$4] which an object grant names
-- (granted, in their order) and whether one names any policy at all (sees_any); n is the user's place in $1; $6 is the
-- id of the permission view_eventmatcherpolicy.
-- $2 has a group for each user that is believed to be a superuser's, itself or by an ancestor (or the nil UUID); where
-- it is not, and nothing else has decided, all groups of the user are searched, and superuser_by is the one found: its
-- holder sees all, whatever sees_all says.
-- Each step costs more than the one before, and is taken only where that has not decided. Every one is an index
-- look-up from the user outwards. The group tree may hold loops and counts down to depth 19
-- (authentik/core/models.py, Group.children_recursive); an object_pk that is no canonical UUID grants nothing.
prepare rights (int[], uuid[], int[], int[], uuid[], int) as
select asked.n, known.sees_all, object.granted,
       case
       when known.sees_all or true = any (object.granted) then true
       when exists (
            select
              from :"schema".guardian_userobjectpermission o
              join :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
                on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                          then o.object_pk::uuid end
             where o.user_id = asked.id and o.permission_id = $6
            offset 0) then true
       else exists (
            select
              from :"schema".authentik_core_user_groups r
             where r.user_id = asked.id
               and exists (
                   select
                     from :"schema".guardian_groupobjectpermission o
                     join :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
                       on e.policy_ptr_id = case when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                                 then o.object_pk::uuid end
                    where o.group_id = r.group_id and o.permission_id = $6
                   offset 0)
            offset 0)
       end as sees_any,
       case when false = any (object.granted) then (
       with recursive ancestor (own, parent_id, is_superuser, depth) as (
            select g.group_uuid, g.parent_id, g.is_superuser, 0
              from :"schema".authentik_core_user_ak_groups m
             cross join lateral (
                   select g.group_uuid, g.parent_id, g.is_superuser
                     from :"schema".authentik_core_group g
                    where g.group_uuid = m.group_id
                   offset 0) g
             where m.user_id = asked.id and (g.is_superuser or g.parent_id is not null)
             union all
            select a.own, g.parent_id, g.is_superuser, a.depth + 1
              from ancestor a
             cross join lateral (
                   select g.parent_id, g.is_superuser from :"schema".authentik_core_group g where g.group_uuid = a.parent_id offset 0) g
             where a.depth < 19)
       select own from ancestor where is_superuser limit 1)
       end as superuser_by
  from unnest($1, $2, $3, $4) with ordinality as asked (id, believed, first_policy, last_policy, n)
 cross join lateral (
       select case
              when exists (
                   select
                     from :"schema".authentik_core_user_groups r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from :"schema".auth_group_permissions p
                           where p.group_id = r.group_id and p.permission_id = $6
                          offset 0)) then true
              when exists (
                   select
                     from :"schema".authentik_core_user_user_permissions p
                    where p.user_id = asked.id and p.permission_id = $6) then true
              when not exists (
                   select
                     from :"schema".authentik_core_user_ak_groups m
                    where m.user_id = asked.id and m.group_id = asked.believed) then false
              else exists (
                   with recursive ancestor (parent_id, is_superuser, depth) as (
                        select g.parent_id, g.is_superuser, 0
                          from :"schema".authentik_core_group g
                         where g.group_uuid = asked.believed
                         union all
                        select g.parent_id, g.is_superuser, a.depth + 1
                          from ancestor a
                         cross join lateral (
                               select g.parent_id, g.is_superuser
                                 from :"schema".authentik_core_group g
                                where g.group_uuid = a.parent_id
                               offset 0) g
                         where a.depth < 19)
                   select from ancestor where is_superuser)
              end as sees_all
       offset 0) known
 cross join lateral (
       select case when not known.sees_all then array (
              select case
                     when exists (
                          select
                            from :"schema".guardian_userobjectpermission o
                            join :"schema".authentik_policies_event_matcher_eventmatcherpolicy e on e.policy_ptr_id = policy.id
                           where o.user_id = asked.id and o.permission_id = $6 and o.object_pk = policy.id::text
                          offset 0) then true
                     else exists (
                          select
                            from :"schema".authentik_core_user_groups r
                           where r.user_id = asked.id
                             and exists (
                                 select
                                   from :"schema".guardian_groupobjectpermission o
                                   join :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
                                     on e.policy_ptr_id = policy.id
                                  where o.group_id = r.group_id and o.permission_id = $6
                                    and o.object_pk = policy.id::text
                                 offset 0)
                          offset 0)
                     end
                from unnest($5[asked.first_policy : asked.last_policy]) as policy (id))
              end as granted
       offset 0) object;
