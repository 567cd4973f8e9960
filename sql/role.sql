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
grant select (policy_ptr_id, action, client_ip, app, model)
    on :"schema".authentik_policies_event_matcher_eventmatcherpolicy to event_matcher;
grant select (policy_uuid, name, execution_logging)
    on :"schema".authentik_policies_policy to event_matcher;
grant select (policy_id)
    on :"schema".authentik_policies_policybinding to event_matcher;
grant select (policy_id)
    on :"schema".authentik_stages_prompt_promptstage_validation_policies to event_matcher;
grant select (token_uuid, key, intent, expiring, expires, user_id)
    on :"schema".authentik_core_token to event_matcher;
grant select (id, token, _scope, expiring, expires, user_id)
    on :"schema".authentik_providers_oauth2_accesstoken to event_matcher;
grant select (id, is_active, type)
    on :"schema".authentik_core_user to event_matcher;
grant select (group_uuid, parent_id, is_superuser)
    on :"schema".authentik_core_group to event_matcher;
grant select (user_id, group_id)
    on :"schema".authentik_core_user_ak_groups to event_matcher;
grant select (user_id, group_id)
    on :"schema".authentik_core_user_groups to event_matcher;
grant select (user_id, permission_id)
    on :"schema".authentik_core_user_user_permissions to event_matcher;
grant select (group_id, permission_id)
    on :"schema".auth_group_permissions to event_matcher;
grant select (id, content_type_id, codename)
    on :"schema".auth_permission to event_matcher;
grant select (id, app_label, model)
    on :"schema".django_content_type to event_matcher;
grant select (user_id, permission_id, object_pk)
    on :"schema".guardian_userobjectpermission to event_matcher;
grant select (group_id, permission_id, object_pk)
    on :"schema".guardian_groupobjectpermission to event_matcher;

commit;
