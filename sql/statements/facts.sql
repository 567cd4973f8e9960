-- SPDX-License-Identifier: MIT
-- What a connection has to know of the database besides the tables: the id of the permission view_eventmatcherpolicy
-- (NULL where there is none), and whether a valid index finds an access token.
prepare facts as
select 1 as n,
       (select p.id
          from auth_permission p
          join django_content_type c on c.id = p.content_type_id
         where c.app_label = 'authentik_policies_event_matcher'
           and c.model = 'eventmatcherpolicy'
           and p.codename = 'view_eventmatcherpolicy') as permission,
       exists (
       select
         from pg_catalog.pg_index i
         join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = 'authentik_providers_oauth2_accesstoken'::regclass
          and i.indisvalid
          and i.indpred is null
          and a.attname = 'token') as token_index;
