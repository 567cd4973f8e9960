-- SPDX-License-Identifier: MIT
-- Who holds each of these API keys: at most one row a key; n is the key's place in $1; superuser: by one of the user's
-- own groups.
-- The oldest rule first: an API token that has not expired; of several the lowest token_uuid, whoever's it is
-- (authentik/api/authentication.py, authentik/core/models.py).
prepare caller (text[]) as
select found.n, found.user_id, coalesce(u.is_active, false) as active,
       coalesce(u.type = 'internal_service_account', false) as service,
       exists (
       select
         from authentik_core_user_ak_groups m
         join authentik_core_group g on g.group_uuid = m.group_id
        where m.user_id = u.id and g.is_superuser
       offset 0) as superuser
  from (select distinct on (asked.n) asked.n, t.user_id
          from unnest($1) with ordinality as asked (key, n)
          join authentik_core_token t on t.key = asked.key
         where t.intent = 'api'
           and (t.expiring and t.expires < now()) is not true
         order by asked.n, t.token_uuid) found
  left join authentik_core_user u on u.id = found.user_id;
