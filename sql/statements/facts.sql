-- SPDX-License-Identifier: MIT
-- What a connection has to know of the database besides the tables: their layout; the id of the permission
-- view_eventmatcherpolicy (the least, if it is there twice; NULL where there is none); whether a valid index finds an access token; whether sessions are a
-- table, as since 2025.4; whether we may read which tenants there are; and a number that changes with the columns of the
-- tables, their kind and their owner, because not every change of them gives an error: a table that somebody else has put in
-- the place of one is read by a prepared statement like the one before. The tenants' table counts only if whoever owns it may act as the
-- owner of the API keys: a view that somebody else has put in its place would run with our rights. standby and snapshots decide whether
-- answers may be known (snapshot.sql): a standby becomes a primary in a session that goes on, but never the other way. :layout and :needed are parts of sql/role.sql.
prepare facts as
select 1 as n, :layout as layout,
       (select min(p.id)
          from :"schema".auth_permission p
          join :"schema".django_content_type c on c.id = p.content_type_id
         where c.app_label = 'authentik_policies_event_matcher'
           and c.model = 'eventmatcherpolicy'
           and p.codename = 'view_eventmatcherpolicy') as permission,
       exists (
       select
         from pg_index i
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = to_regclass(format('%I.authentik_providers_oauth2_accesstoken', place))
          and i.indisvalid
          and i.indpred is null
          and a.attname = 'token') as token_index,
       to_regclass(format('%I.authentik_core_session', place)) is not null as session_table,
       2 = (
       select count(*)
         from pg_namespace n
         join pg_class c on c.relnamespace = n.oid and c.relname = 'authentik_tenants_tenant' and c.relkind in ('r', 'p')
         join pg_class k on k.oid = to_regclass(format('%I.authentik_core_token', place))
         join pg_attribute a on a.attrelid = c.oid and a.attname in ('schema_name', 'ready') and not a.attisdropped
        where n.nspname = 'public'
          and has_schema_privilege(n.oid, 'usage')
          and not row_security_active(c.oid)
          and pg_has_role(c.relowner, k.relowner, 'member')
          and has_column_privilege(c.oid, a.attnum, 'select')) as tenants,
       (select hashtext(string_agg(format('%s.%s %s %s %s', c.relname, a.attname, a.atttypid, c.relkind, c.relowner), ' ' order by c.relname, a.attnum))
          from (values :needed) as needed (layouts, relation, share, columns)
          join pg_namespace n on n.nspname = place
          join pg_class c on c.relnamespace = n.oid and c.relname = needed.relation
          join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as shape,
       pg_is_in_recovery() as standby,
       has_function_privilege('pg_catalog.pg_current_snapshot()', 'execute') as snapshots
  from (values (:'schema')) as here (place);
