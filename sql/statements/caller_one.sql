-- SPDX-License-Identifier: MIT
-- caller_known.sql for one key: no list is unfolded.
prepare caller_one (text, uuid) as
select 1 as n, found.user_id, u.is_active as active, u.type,
       (select g.is_superuser from :"schema".authentik_core_group g where g.group_uuid = $2)
       and exists (
           select from :"schema".:members m where m.user_id = u.id and m.group_id = $2 offset 0) as superuser,
       found.expires
  from (select t.user_id, case when t.expiring then t.expires end as expires
          from :"schema".authentik_core_token t
         where t.key = $1
           and t.intent = 'api'
           and (t.expiring and t.expires < now()) is not true
         order by t.token_uuid
         limit 1) found
  left join :"schema".authentik_core_user u on u.id = found.user_id;
