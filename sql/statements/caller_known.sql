-- SPDX-License-Identifier: MIT
-- caller.sql, which says more, where each key is known from before, and all who were superusers then were it by one group: $2
-- (or the nil UUID). No other group is looked at: a sixth of the cost, where most of what a statement costs is its plan.
-- superuser: whether the user is one by that group.
prepare caller_known (text[], uuid) as
select found.n, found.user_id, u.is_active as active, u.type,
       (select g.is_superuser from :"schema".authentik_core_group g where g.group_uuid = $2)
       and exists (
           select from :"schema".:members m where m.user_id = u.id and m.group_id = $2 offset 0) as superuser,
       found.expires
  from (select distinct on (asked.n) asked.n, t.user_id, t.expires
          from unnest($1) with ordinality as asked (key, n)
         cross join lateral (
               select t.token_uuid, t.user_id, case when t.expiring then t.expires end as expires
                 from :"schema".authentik_core_token t
                where t.key = asked.key
                  and t.intent = 'api'
                  and (t.expiring and t.expires < now()) is not true
               offset 0) t
         order by asked.n, t.token_uuid) found
  left join :"schema".authentik_core_user u on u.id = found.user_id;
