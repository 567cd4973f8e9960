-- SPDX-License-Identifier: MIT
-- Of each key in $1 whose holder is active: n, its place, and whether they see every policy. superuser_by names the group that
-- makes them a superuser; $2 has the one that did the last time, or the nil UUID, and it is looked at first.
select found.n, found.superuser_by,
       case
       when found.superuser_by is not null then true
       when exists (
            select
              from authentik_core_user_roles r
              join guardian_rolemodelpermission p on p.role_id = r.role_id
             where r.user_id = found.id and p.permission_id = $3
            offset 0) then true
       when exists (
            select
              from authentik_core_user_groups m
              join authentik_core_group_roles r on r.group_id = m.group_id
              join guardian_rolemodelpermission p on p.role_id = r.role_id
             where m.user_id = found.id and p.permission_id = $3
            offset 0) then true
       else exists (
            select
              from authentik_core_user_groups m
              join authentik_core_groupancestry a on a.descendant_id = m.group_id
              join authentik_core_group g on g.group_uuid = a.ancestor_id
             where m.user_id = found.id
               and (g.is_superuser
                    or exists (
                       select
                         from authentik_core_group_roles r
                         join guardian_rolemodelpermission p on p.role_id = r.role_id
                        where r.group_id = a.ancestor_id and p.permission_id = $3
                       offset 0))
            offset 0)
       end as sees_all
  from (select holder.n, u.id,
               case
               when holder.believed = any (array (
                    select g.group_uuid from authentik_core_group g where g.group_uuid = any ($2) and g.is_superuser))
                and exists (
                    select
                      from authentik_core_user_groups m
                     where m.user_id = u.id and m.group_id = holder.believed
                    offset 0) then holder.believed
               else (
                    select m.group_id
                      from authentik_core_user_groups m
                      join authentik_core_group g on g.group_uuid = m.group_id
                     where m.user_id = u.id and g.is_superuser
                     limit 1)
               end as superuser_by
          from (select distinct on (asked.n) asked.n, asked.believed, t.user_id
                  from unnest($1, $2) with ordinality as asked (key, believed, n)
                  join authentik_core_token t on t.key = asked.key
                 where t.intent = 'api' and (t.expiring and t.expires < now()) is not true
                 order by asked.n, t.token_uuid) holder
          join authentik_core_user u on u.id = holder.user_id
         where u.is_active
        offset 0) found
