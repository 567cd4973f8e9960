-- SPDX-License-Identifier: MIT
-- rights_roles.sql, which says more, for users who saw all the last time: whether they still do, by the group that is believed to be
-- why, or by a role of their own; $3 is the permission. Who does not is to be asked about in full: granted is NULL then, too.
-- Nine tenths of the cost of that statement are to set up what is not needed here.
prepare rights_known (int[], uuid[], int) as
with superuser (groups) as materialized (
     select array (select g.group_uuid from :"schema".authentik_core_group g where g.is_superuser)),
     opening (groups) as materialized (
     select array (
            select b.id
              from (select distinct on (id) id from unnest($2) as id order by id) b
             where exists (
                   select
                     from (select unnest(b.id || array (
                                  select a.ancestor_id
                                    from :"schema".authentik_core_groupancestry a
                                   where a.descendant_id = b.id)) as id
                          offset 0) g
                    where g.id = any ((select groups from superuser)::uuid[])
                       or exists (
                          select
                            from :"schema".authentik_core_group_roles r
                           where r.group_id = g.id
                             and exists (
                                 select
                                   from :"schema".guardian_rolemodelpermission p
                                  where p.role_id = r.role_id and p.permission_id = $3
                                 offset 0)
                          offset 0))))
select asked.n, known.sees_all, null as granted, known.sees_all as sees_any, null as superuser_by
  from unnest($1, $2) with ordinality as asked (id, believed, n)
 cross join lateral (
       select case
              when asked.believed <> '00000000-0000-0000-0000-000000000000'
               and exists (
                   select
                     from :"schema".:members m
                    where m.user_id = asked.id and m.group_id = asked.believed)
               and asked.believed = any ((select groups from opening)::uuid[]) then true
              else exists (
                   select
                     from :"schema".authentik_core_user_roles r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from :"schema".guardian_rolemodelpermission p
                           where p.role_id = r.role_id and p.permission_id = $3
                          offset 0)
                   offset 0)
              end as sees_all
       offset 0) known;
