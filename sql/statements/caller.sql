-- SPDX-License-Identifier: MIT
-- Who holds each of these API keys: at most one row a key; n is the key's place in $1.
-- The oldest rule first: an API token that has not expired; of several the lowest token_uuid, whoever's it is
-- (authentik/api/authentication.py, authentik/core/models.py).
prepare caller (text[]) as
select asked.n, token.user_id, coalesce(u.is_active, false) as active,
       coalesce(u.type = 'internal_service_account', false) as service, coalesce(own.superuser, false) as superuser
  from unnest($1) with ordinality as asked (key, n)
 cross join lateral (
       select t.user_id
         from authentik_core_token t
        where t.key = asked.key
          and t.intent = 'api'
          and (t.expiring and t.expires < now()) is not true
        order by t.token_uuid
        limit 1) token
  left join authentik_core_user u on u.id = token.user_id
 cross join lateral (
       select bool_or(g.is_superuser) as superuser
         from authentik_core_user_ak_groups m
         join authentik_core_group g on g.group_uuid = m.group_id
        where m.user_id = u.id) own;
