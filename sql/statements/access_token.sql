-- SPDX-License-Identifier: MIT
-- Who holds each of these OAuth access tokens: at most one row a token; n is the token's place in $1.
-- Of several tokens with the scope in any case the lowest id counts, and it is good only with the scope's very word
-- (authentik/api/authentication.py). A plain join: without an index one scan serves the whole batch.
prepare access_token (text[]) as
select found.n, found.user_id, found.scoped and coalesce(u.is_active, false) as active,
       u.type, null as superuser_by, null as expires
  from (select distinct on (asked.n) asked.n, t.user_id,
               'goauthentik.io/api' = any (regexp_split_to_array(t._scope, '\s+')) as scoped
          from unnest($1) with ordinality as asked (key, n)
          join :"schema".authentik_providers_oauth2_accesstoken t on t.token = asked.key
         where t._scope ilike '%goauthentik.io/api%'
           and (t.expiring and t.expires < now()) is not true
         order by asked.n, t.id) found
  left join lateral (select u.is_active, u.type from :"schema".authentik_core_user u where u.id = found.user_id offset 0) u on true;
