-- SPDX-License-Identifier: MIT
-- Makes the role event_matcher, or mends it: it can log in and select what sql/statements read, nothing else. It grants on
-- whatever of all layouts of authentik is there, says what it has granted and what is missing, and can run again at any
-- time: before an upgrade of authentik, and after it, for the tables that the upgrade has made.
-- Run as a superuser, or as the tables' owner with CREATEROLE, in authentik's database or one made from sql/schema.sql:
--   psql -v ON_ERROR_STOP=1 -f sql/role.sql                         (schema public, no password)
--   psql -v ON_ERROR_STOP=1 -v schema=tenant -v password=... -f sql/role.sql
-- The role can read API keys, which authentik stores in clear: guard its password as you guard the database. Where the server logs
-- statements and this is not run by a superuser, or where pg_stat_statements or pgaudit note them, the password is noted, too.
-- What PUBLIC may do, it may do too, and nothing of that is revoked here, as others may rely on it: connect to any
-- database, make temporary tables and large objects. To refuse these: revoke connect, temporary on database ... from
-- public; revoke execute on function lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) from public.
\if :{?schema}
\else
  \set schema public
\endif
begin;
-- Where pg_temp is not named it is searched first: a temporary table could stand in for a catalogue.
set local search_path = pg_catalog, pg_temp;

do $$
begin
    if not exists (select from pg_roles where rolname = 'event_matcher') then
        create role event_matcher;
    end if;
end
$$;
alter role event_matcher login nocreatedb nocreaterole inherit connection limit -1;
-- Only a superuser may speak of these; a role that another made has none of them.
select rolsuper as superuser from pg_roles where rolname = current_user \gset
\if :superuser
alter role event_matcher nosuperuser noreplication nobypassrls;
-- The password below is in no log of statements.
set local log_statement = 'none';
set local log_min_duration_statement = -1;
\endif
\if :{?password}
alter role event_matcher password :'password';
\endif
alter role event_matcher set default_transaction_read_only = on;

grant usage on schema :"schema" to event_matcher;
select set_config('event_matcher.schema', :'schema', true) as schema \gset granted_
do $$
declare
    place constant text := current_setting('event_matcher.schema');
    layout text;
    wanted record;
    there text;
    missing text;
begin
    layout :=
-- layout: the one that authentik's tables have in the schema place, by the catalogue alone.
-- tree: groups have one parent each, rights are auth_group's and guardian's (2024.8 to 2025.10). roles_ak_groups: rights are
-- the roles' of all groups above a user (2025.12). roles_user_groups: the same, members have moved to a table whose name
-- another one had before (2026.2 and later). A migration that moves the rows drops or renames what is looked at here in
-- the same transaction, so the catalogue's tables are read as of the snapshot, and not by to_regclass, which looks past it.
-- A table of that name counts only if whoever owns it may act as the owner of the API keys: others who may create tables in
-- the schema could make one, and say in it who belongs to which group.
        case when exists (
                  select
                    from pg_catalog.pg_namespace n
                    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'authentik_core_group'
                    join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'parent_id' and not a.attisdropped
                   where n.nspname = place) then 'tree'
             when exists (
                  select
                    from pg_catalog.pg_namespace n
                    join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname = 'authentik_core_user_ak_groups'
                    join pg_catalog.pg_class k on k.relnamespace = n.oid and k.relname = 'authentik_core_token'
                   where n.nspname = place and pg_catalog.pg_has_role(c.relowner, k.relowner, 'member')) then 'roles_ak_groups'
             else 'roles_user_groups' end
-- end of layout
        ;
    raise notice 'the layout of authentik''s tables in the schema % is %', place, layout;
    for wanted in select * from (values
-- needed: the tables of each layout of authentik (sql/statements/layout.sql), and the columns that the program reads; where
-- nothing in a table is secret the whole table is granted, so that a column which a later release adds is covered
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_policies_event_matcher_eventmatcherpolicy', 'whole',
         'policy_ptr_id uuid, action text, client_ip text, app text, model text'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_policies_policy', 'whole',
         'policy_uuid uuid, name text, execution_logging boolean'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_policies_policybinding', 'whole',
         'policy_id uuid'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_stages_prompt_promptstage_validation_policies', 'whole',
         'policy_id uuid'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_core_token', 'columns',
         'token_uuid uuid, key text, intent text, expiring boolean, expires timestamp with time zone, user_id integer'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_providers_oauth2_accesstoken', 'columns',
         'id integer, token text, _scope text, expiring boolean, expires timestamp with time zone, user_id integer'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'authentik_core_user', 'columns',
         'id integer, is_active boolean, type text'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'auth_permission', 'whole',
         'id integer, content_type_id integer, codename text'),
        ('{tree,roles_ak_groups,roles_user_groups}', 'django_content_type', 'whole',
         'id integer, app_label text, model text'),
        ('{tree}', 'authentik_core_group', 'columns',
         'group_uuid uuid, parent_id uuid, is_superuser boolean'),
        ('{roles_ak_groups,roles_user_groups}', 'authentik_core_group', 'columns',
         'group_uuid uuid, is_superuser boolean'),
        ('{tree,roles_ak_groups}', 'authentik_core_user_ak_groups', 'whole',
         'user_id integer, group_id uuid'),
        ('{tree}', 'authentik_core_user_groups', 'whole',
         'user_id integer, group_id integer'),
        ('{roles_user_groups}', 'authentik_core_user_groups', 'whole',
         'user_id integer, group_id uuid'),
        ('{tree}', 'authentik_core_user_user_permissions', 'whole',
         'user_id integer, permission_id integer'),
        ('{tree}', 'auth_group_permissions', 'whole',
         'group_id integer, permission_id integer'),
        ('{tree}', 'guardian_userobjectpermission', 'whole',
         'user_id integer, permission_id integer, object_pk text'),
        ('{tree}', 'guardian_groupobjectpermission', 'whole',
         'group_id integer, permission_id integer, object_pk text'),
        ('{roles_ak_groups,roles_user_groups}', 'authentik_core_groupancestry', 'whole',
         'descendant_id uuid, ancestor_id uuid'),
        ('{roles_ak_groups,roles_user_groups}', 'authentik_core_user_roles', 'whole',
         'user_id integer, role_id uuid'),
        ('{roles_ak_groups,roles_user_groups}', 'authentik_core_group_roles', 'whole',
         'group_id uuid, role_id uuid'),
        ('{roles_ak_groups,roles_user_groups}', 'guardian_rolemodelpermission', 'whole',
         'role_id uuid, permission_id integer'),
        ('{roles_ak_groups,roles_user_groups}', 'guardian_roleobjectpermission', 'whole',
         'role_id uuid, permission_id integer, object_pk text')
-- end of needed
        ) as needed (layouts, relation, share, columns)
     order by relation
    loop
        select string_agg(quote_ident(c.name), ', ' order by c.n) filter (where a.attname is not null),
               string_agg(c.name, ', ' order by c.n) filter (where a.attname is null)
          into there, missing
          from (select split_part(pair, ' ', 1), n
                  from unnest(string_to_array(wanted.columns, ', ')) with ordinality as p (pair, n)) as c (name, n)
          left join pg_class r
            on r.oid = to_regclass(format('%I.%I', place, wanted.relation)) and r.relkind in ('r', 'p', 'v', 'm', 'f')
          left join pg_attribute a
            on a.attrelid = r.oid
           and a.attname = c.name and a.attnum > 0 and not a.attisdropped;
        if missing is not null and layout = any (wanted.layouts::text[]) then
            raise notice 'needed, but missing: %, of %', missing, wanted.relation;
        end if;
        if there is not null and wanted.share = 'whole' then
            execute format('grant select on %I.%I to event_matcher', place, wanted.relation);
            raise notice 'granted: %', wanted.relation;
        elsif there is not null then
            execute format('grant select (%s) on %I.%I to event_matcher', there, place, wanted.relation);
            raise notice 'granted: %, of %', there, wanted.relation;
        end if;
    end loop;
    -- Which tenants there are, for a warning; authentik keeps them in the schema public. What others have made there under
    -- that name, or under one of the above, is to be no reason to stop.
    if 2 = (select count(*)
              from pg_class c
              join pg_attribute a on a.attrelid = c.oid and a.attname in ('schema_name', 'ready') and not a.attisdropped
             where c.oid = to_regclass('public.authentik_tenants_tenant') and c.relkind in ('r', 'p')) then
        grant select (schema_name, ready) on public.authentik_tenants_tenant to event_matcher;
    end if;
end
$$;

commit;
