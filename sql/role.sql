-- SPDX-License-Identifier: MIT
-- Makes the role event_matcher, or mends it: it can log in and select the columns that sql/statements read, nothing else.
-- Run as a superuser, or as the tables' owner with CREATEROLE, in authentik's database or one made from sql/schema.sql:
--   psql -v ON_ERROR_STOP=1 -f sql/role.sql                         (schema public, no password)
--   psql -v ON_ERROR_STOP=1 -v schema=tenant -v password=... -f sql/role.sql
-- The role can read API keys, which authentik stores in clear: guard its password as you guard the database.
-- What PUBLIC may do, it may do too, and nothing of that is revoked here, as others may rely on it: connect to any
-- database, make temporary tables and large objects. To refuse these: revoke connect, temporary on database ... from
-- public; revoke execute on function lo_create(oid), lo_creat(integer), lo_from_bytea(oid, bytea) from public.
\if :{?schema}
\else
  \set schema public
\endif
begin;
set local search_path = pg_catalog;

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
\endif
\if :{?password}
alter role event_matcher password :'password';
\endif
alter role event_matcher set default_transaction_read_only = on;

grant usage on schema :"schema" to event_matcher;
select set_config('event_matcher.schema', :'schema', true) as schema \gset granted_
do $$
declare
    wanted record;
begin
    for wanted in select * from (values
-- needed: the tables, and of each the columns that sql/statements read; the program's own check is made from this list
        ('authentik_policies_event_matcher_eventmatcherpolicy', 'policy_ptr_id, action, client_ip, app, model'),
        ('authentik_policies_policy', 'policy_uuid, name, execution_logging'),
        ('authentik_policies_policybinding', 'policy_id'),
        ('authentik_stages_prompt_promptstage_validation_policies', 'policy_id'),
        ('authentik_core_token', 'token_uuid, key, intent, expiring, expires, user_id'),
        ('authentik_providers_oauth2_accesstoken', 'id, token, _scope, expiring, expires, user_id'),
        ('authentik_core_user', 'id, is_active, type'),
        ('authentik_core_group', 'group_uuid, parent_id, is_superuser'),
        ('authentik_core_user_ak_groups', 'user_id, group_id'),
        ('authentik_core_user_groups', 'user_id, group_id'),
        ('authentik_core_user_user_permissions', 'user_id, permission_id'),
        ('auth_group_permissions', 'group_id, permission_id'),
        ('auth_permission', 'id, content_type_id, codename'),
        ('django_content_type', 'id, app_label, model'),
        ('guardian_userobjectpermission', 'user_id, permission_id, object_pk'),
        ('guardian_groupobjectpermission', 'group_id, permission_id, object_pk')
-- end of needed
        ) as needed (relation, columns)
    loop
        execute format('grant select (%s) on %I.%I to event_matcher', wanted.columns,
                       current_setting('event_matcher.schema'), wanted.relation);
    end loop;
end
$$;

commit;
