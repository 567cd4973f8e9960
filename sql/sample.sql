-- SPDX-License-Identifier: MIT
-- Sample data for sql/schema.sql: policies with bindings, and callers with each kind of right. The keys are public:
-- never load this into a database that anybody depends on.
\if :{?schema}
\else
  \set schema public
\endif
begin;
-- Nothing of the schema is searched: functions and operators made there by others would run with your rights.
set local search_path = pg_catalog, pg_temp;

-- Nor is anything written to what somebody else has made under a table's name: its triggers would run with your rights.
select set_config('event_matcher.schema', :'schema', true) as schema \gset loaded_
do $$
declare
    anothers constant text := (
        select string_agg(format('%I', c.relname), ', ' order by c.relname)
          from pg_class c
          join pg_namespace n on n.oid = c.relnamespace
          join pg_database d on d.datname = current_database()
         where n.nspname = current_setting('event_matcher.schema')
           and c.relname ~ '^(auth|authentik|django|guardian)_'
           and c.relkind in ('r', 'p', 'v', 'm', 'f')
           and pg_get_userbyid(c.relowner) <> current_user
           and c.relowner <> d.datdba);
begin
    if anothers is not null then
        raise exception 'neither you nor the owner of the database owns %', anothers
            using hint = 'load this as the owner of the tables';
    end if;
end
$$;

insert into :"schema".authentik_policies_policy (policy_uuid, name, execution_logging) values
    ('11111111-1111-4111-8111-111111111111', 'default-match-configuration-error', true),
    ('22222222-2222-4222-8222-222222222222', 'default-match-policy-exception', false),
    ('33333333-3333-4333-8333-333333333333', 'match-failed-logins', false),
    ('44444444-4444-4444-8444-444444444444', 'match-failed-logins-from-the-bastion', true),
    ('55555555-5555-4555-8555-555555555555', 'match-deleted-users', false),
    ('66666666-6666-4666-8666-666666666666', 'match-everything', false),
    ('77777777-7777-4777-8777-777777777777', 'Größere Änderungen – 設定 🔔', false),
    ('88888888-8888-4888-8888-888888888888', 'match-secret-views', false),
    ('99999999-9999-4999-8999-999999999999', 'an-expression-policy-no-event-matcher', false);

insert into :"schema".authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id, action, client_ip, app, model, query) values
    ('11111111-1111-4111-8111-111111111111', 'configuration_error', null, null, null, 'context.message ~ "provider"'),
    ('22222222-2222-4222-8222-222222222222', 'policy_exception', '', '', '', ''),
    ('33333333-3333-4333-8333-333333333333', 'login_failed', null, 'authentik.core', null, null),
    ('44444444-4444-4444-8444-444444444444', 'login_failed', '192.0.2.10', null, null, null),
    ('55555555-5555-4555-8555-555555555555', 'model_deleted', null, 'authentik.core', 'authentik_core.user', null),
    ('66666666-6666-4666-8666-666666666666', null, null, null, null, null),
    ('77777777-7777-4777-8777-777777777777', 'model_updated', null, 'authentik.events', 'authentik_events.event',
     'user.username startswith "größ"'),
    ('88888888-8888-4888-8888-888888888888', 'secret_view', null, 'authentik.crypto', 'authentik_crypto.certificatekeypair',
     null);

insert into :"schema".authentik_policies_policybinding (policy_id, target_id, "order", enabled) values
    ('11111111-1111-4111-8111-111111111111', 'aaaaaaaa-0000-4000-8000-000000000001', 0, true),
    ('22222222-2222-4222-8222-222222222222', 'aaaaaaaa-0000-4000-8000-000000000001', 0, true),
    ('33333333-3333-4333-8333-333333333333', 'aaaaaaaa-0000-4000-8000-000000000002', 0, true),
    ('33333333-3333-4333-8333-333333333333', 'aaaaaaaa-0000-4000-8000-000000000003', 1, false);

insert into :"schema".authentik_stages_prompt_promptstage_validation_policies (promptstage_id, policy_id) values
    ('bbbbbbbb-0000-4000-8000-000000000001', '33333333-3333-4333-8333-333333333333');

insert into :"schema".authentik_core_group (group_uuid, name, is_superuser) values
    ('cccccccc-0000-4000-8000-000000000001', 'authentik Admins', true),
    ('cccccccc-0000-4000-8000-000000000002', 'Operations', false),
    ('cccccccc-0000-4000-8000-000000000003', 'Operations Europe', false),
    ('cccccccc-0000-4000-8000-000000000004', 'Operations Berlin', false),
    ('cccccccc-0000-4000-8000-000000000005', 'Everyone', false),
    ('cccccccc-0000-4000-8000-000000000006', 'Compliance', false),
    ('cccccccc-0000-4000-8000-000000000007', 'Auditors', false),
    ('cccccccc-0000-4000-8000-000000000008', 'Contractors', false);

-- Each group is in its parents, and a group may have several: Auditors are in Compliance and in Everyone.
insert into :"schema".authentik_core_groupparentage (child_id, parent_id) values
    ('cccccccc-0000-4000-8000-000000000002', 'cccccccc-0000-4000-8000-000000000001'),
    ('cccccccc-0000-4000-8000-000000000003', 'cccccccc-0000-4000-8000-000000000002'),
    ('cccccccc-0000-4000-8000-000000000004', 'cccccccc-0000-4000-8000-000000000003'),
    ('cccccccc-0000-4000-8000-000000000004', 'cccccccc-0000-4000-8000-000000000005'),
    ('cccccccc-0000-4000-8000-000000000007', 'cccccccc-0000-4000-8000-000000000005'),
    ('cccccccc-0000-4000-8000-000000000007', 'cccccccc-0000-4000-8000-000000000006');

insert into :"schema".authentik_core_user (id, username, is_active, type) values
    (1, 'akadmin', true, 'internal'),
    (2, 'operator', true, 'internal'),
    (3, 'auditor', true, 'internal'),
    (4, 'dashboard', true, 'service_account'),
    (5, 'helpdesk', true, 'internal'),
    (6, 'contractor', true, 'external'),
    (7, 'employee', true, 'internal'),
    (8, 'former-admin', false, 'internal'),
    (9, 'outpost', true, 'internal_service_account');
select setval(pg_get_serial_sequence(quote_ident(:'schema') || '.authentik_core_user', 'id'), 9);

insert into :"schema".authentik_core_user_groups (user_id, group_id) values
    (1, 'cccccccc-0000-4000-8000-000000000001'),
    (2, 'cccccccc-0000-4000-8000-000000000004'),
    (3, 'cccccccc-0000-4000-8000-000000000007'),
    (6, 'cccccccc-0000-4000-8000-000000000008'),
    (7, 'cccccccc-0000-4000-8000-000000000005'),
    (8, 'cccccccc-0000-4000-8000-000000000001');

-- A right belongs to a role: for all policies, or for one. A role belongs to users, and to groups: whoever is in the
-- group, or in one below it, has the role.
insert into :"schema".authentik_rbac_role (uuid, name) values
    ('dddddddd-0000-4000-8000-000000000001', 'reads policies'),
    ('dddddddd-0000-4000-8000-000000000002', 'reads match-failed-logins'),
    ('dddddddd-0000-4000-8000-000000000003', 'reads match-failed-logins-from-the-bastion');
insert into :"schema".guardian_rolemodelpermission (content_type_id, permission_id, role_id)
select content_type_id, id, 'dddddddd-0000-4000-8000-000000000001'
  from :"schema".auth_permission where codename = 'view_eventmatcherpolicy';
insert into :"schema".guardian_roleobjectpermission (object_pk, content_type_id, permission_id, role_id)
select '33333333-3333-4333-8333-333333333333', content_type_id, id, 'dddddddd-0000-4000-8000-000000000002'
  from :"schema".auth_permission where codename = 'view_eventmatcherpolicy';
insert into :"schema".guardian_roleobjectpermission (object_pk, content_type_id, permission_id, role_id)
select '44444444-4444-4444-8444-444444444444', content_type_id, id, 'dddddddd-0000-4000-8000-000000000003'
  from :"schema".auth_permission where codename = 'view_eventmatcherpolicy';
insert into :"schema".authentik_core_user_roles (user_id, role_id) values
    (4, 'dddddddd-0000-4000-8000-000000000001'),
    (5, 'dddddddd-0000-4000-8000-000000000002');
insert into :"schema".authentik_core_group_roles (group_id, role_id) values
    ('cccccccc-0000-4000-8000-000000000006', 'dddddddd-0000-4000-8000-000000000001'),
    ('cccccccc-0000-4000-8000-000000000008', 'dddddddd-0000-4000-8000-000000000003');

insert into :"schema".authentik_core_token (user_id, identifier, key, intent, expiring, expires) values
    (1, 'admin', 'sample-key-admin', 'api', false, null),
    (2, 'operator', 'sample-key-operator', 'api', true, now() + interval '100 years'),
    (3, 'auditor', 'sample-key-auditor', 'api', false, null),
    (4, 'dashboard', 'sample-key-dashboard', 'api', false, null),
    (5, 'helpdesk', 'sample-key-helpdesk', 'api', false, null),
    (6, 'contractor', 'sample-key-contractor', 'api', false, null),
    (7, 'employee', 'sample-key-employee', 'api', false, null),
    (8, 'former-admin', 'sample-key-former-admin', 'api', false, null),
    (9, 'outpost', 'sample-key-outpost', 'api', false, null),
    (1, 'expired', 'sample-key-expired', 'api', true, now() - interval '1 day'),
    (1, 'app-password', 'sample-key-app-password', 'app_password', false, null);

insert into :"schema".authentik_providers_oauth2_accesstoken (user_id, token, _scope, expires) values
    (1, 'sample-token-admin', 'openid goauthentik.io/api', now() + interval '100 years'),
    (1, 'sample-token-no-scope', 'openid profile', now() + interval '100 years'),
    (1, 'sample-token-expired', 'goauthentik.io/api', now() - interval '1 hour');

commit;
