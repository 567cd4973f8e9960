-- SPDX-License-Identifier: MIT
-- rights_tree.sql, which says more, for users who saw all the last time: whether they still do, by the group that is believed to be
-- why, or by a permission of their own; $3 is the permission. Who does not is to be asked about in full: granted is NULL then, too.
prepare rights_known (int[], uuid[], int) as
select asked.n, known.sees_all, null as granted, known.sees_all as sees_any, null as superuser_by
  from unnest($1, $2) with ordinality as asked (id, believed, n)
 cross join lateral (
       select case
              when exists (
                   select
                     from :"schema".authentik_core_user_groups r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from :"schema".auth_group_permissions p
                           where p.group_id = r.group_id and p.permission_id = $3
                          offset 0)) then true
              when exists (
                   select
                     from :"schema".authentik_core_user_user_permissions p
                    where p.user_id = asked.id and p.permission_id = $3) then true
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
       offset 0) known;
