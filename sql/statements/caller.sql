-- SPDX-License-Identifier: MIT
-- Who holds each of these API keys ($1): at most one row a key; n is the key's place in $1.
-- superuser_by: a group of the user's own that makes them a superuser. $2 has a group for each key that is believed to be
-- one (or the nil UUID) and is looked at first, each group once for the whole list; where it is none, and $3 says so, all
-- groups of the user are searched.
-- The oldest rule first: an API token that has not expired; of several the lowest token_uuid, whoever's it is
-- (authentik/api/authentication.py, authentik/core/models.py). expires: from when on that row decides nothing.
prepare caller (text[], uuid[], bool[]) as
select found.n, found.user_id, u.is_active as active, u.type,
       case
       when found.believed = any (array (
            select g.group_uuid from :"schema".authentik_core_group g where g.group_uuid = any ($2) and g.is_superuser))
        and exists (
            select
              from :"schema".:members m
             where m.user_id = u.id and m.group_id = found.believed
            offset 0) then found.believed
       when found.search then (
            select m.group_id
              from :"schema".:members m
             where m.user_id = u.id
               and exists (
                   select from :"schema".authentik_core_group g where g.group_uuid = m.group_id and g.is_superuser offset 0)
             limit 1)
       end as superuser_by,
       found.expires
  from (select distinct on (asked.n) asked.n, asked.believed, asked.search, t.user_id, t.expires
          from unnest($1, $2, $3) with ordinality as asked (key, believed, search, n)
         cross join lateral (
               select t.token_uuid, t.user_id, case when t.expiring then t.expires end as expires
                 from :"schema".authentik_core_token t
                where t.key = asked.key
                  and t.intent = 'api'
                  and (t.expiring and t.expires < now()) is not true
               offset 0) t
         order by asked.n, t.token_uuid) found
  left join :"schema".authentik_core_user u on u.id = found.user_id;
