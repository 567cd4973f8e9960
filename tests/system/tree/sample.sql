-- SPDX-License-Identifier: MIT
-- The sample data of sql/sample.sql for tests/system/tree/schema.sql: the same policies, callers, keys and rights.
begin;

insert into authentik_policies_policy (policy_uuid, name, execution_logging) values
    ('11111111-1111-4111-8111-111111111111', 'default-match-configuration-error', true),
    ('22222222-2222-4222-8222-222222222222', 'default-match-policy-exception', false),
    ('33333333-3333-4333-8333-333333333333', 'match-failed-logins', false),
    ('44444444-4444-4444-8444-444444444444', 'match-failed-logins-from-the-bastion', true),
    ('55555555-5555-4555-8555-555555555555', 'match-deleted-users', false),
    ('66666666-6666-4666-8666-666666666666', 'match-everything', false),
    ('77777777-7777-4777-8777-777777777777', 'Größere Änderungen – 設定 🔔', false),
    ('88888888-8888-4888-8888-888888888888', 'match-secret-views', false),
    ('99999999-9999-4999-8999-999999999999', 'an-expression-policy-no-event-matcher', false);

insert into authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id, action, client_ip, app, model) values
    ('11111111-1111-4111-8111-111111111111', 'configuration_error', null, null, null),
    ('22222222-2222-4222-8222-222222222222', 'policy_exception', '', '', ''),
    ('33333333-3333-4333-8333-333333333333', 'login_failed', null, 'authentik.core', null),
    ('44444444-4444-4444-8444-444444444444', 'login_failed', '192.0.2.10', null, null),
    ('55555555-5555-4555-8555-555555555555', 'model_deleted', null, 'authentik.core', 'authentik_core.user'),
    ('66666666-6666-4666-8666-666666666666', null, null, null, null),
    ('77777777-7777-4777-8777-777777777777', 'model_updated', null, 'authentik.events', 'authentik_events.event'),
    ('88888888-8888-4888-8888-888888888888', 'secret_view', null, 'authentik.crypto', 'authentik_crypto.certificatekeypair');

insert into authentik_policies_policybinding (policy_id, target_id, "order", enabled) values
    ('11111111-1111-4111-8111-111111111111', 'aaaaaaaa-0000-4000-8000-000000000001', 0, true),
    ('22222222-2222-4222-8222-222222222222', 'aaaaaaaa-0000-4000-8000-000000000001', 0, true),
    ('33333333-3333-4333-8333-333333333333', 'aaaaaaaa-0000-4000-8000-000000000002', 0, true),
    ('33333333-3333-4333-8333-333333333333', 'aaaaaaaa-0000-4000-8000-000000000003', 1, false);

insert into authentik_stages_prompt_promptstage_validation_policies (promptstage_id, policy_id) values
    ('bbbbbbbb-0000-4000-8000-000000000001', '33333333-3333-4333-8333-333333333333');

insert into authentik_core_group (group_uuid, name, parent_id, is_superuser) values
    ('cccccccc-0000-4000-8000-000000000001', 'authentik Admins', null, true),
    ('cccccccc-0000-4000-8000-000000000002', 'Operations', 'cccccccc-0000-4000-8000-000000000001', false),
    ('cccccccc-0000-4000-8000-000000000003', 'Operations Europe', 'cccccccc-0000-4000-8000-000000000002', false),
    ('cccccccc-0000-4000-8000-000000000004', 'Operations Berlin', 'cccccccc-0000-4000-8000-000000000003', false),
    ('cccccccc-0000-4000-8000-000000000005', 'Everyone', null, false);

insert into authentik_core_user (id, username, is_active, type) values
    (1, 'akadmin', true, 'internal'),
    (2, 'operator', true, 'internal'),
    (3, 'auditor', true, 'internal'),
    (4, 'dashboard', true, 'service_account'),
    (5, 'helpdesk', true, 'internal'),
    (6, 'contractor', true, 'external'),
    (7, 'employee', true, 'internal'),
    (8, 'former-admin', false, 'internal'),
    (9, 'outpost', true, 'internal_service_account');
select setval(pg_get_serial_sequence('authentik_core_user', 'id'), 9);

insert into authentik_core_user_ak_groups (user_id, group_id) values
    (1, 'cccccccc-0000-4000-8000-000000000001'),
    (2, 'cccccccc-0000-4000-8000-000000000004'),
    (7, 'cccccccc-0000-4000-8000-000000000005'),
    (8, 'cccccccc-0000-4000-8000-000000000001');

insert into auth_group (id, name) values (1, 'role: reads policies'), (2, 'role: reads one policy');
select setval(pg_get_serial_sequence('auth_group', 'id'), 2);
insert into authentik_core_user_groups (user_id, group_id) values (4, 1), (6, 2);

insert into authentik_core_user_user_permissions (user_id, permission_id)
select 3, id from auth_permission where codename = 'view_eventmatcherpolicy';
insert into auth_group_permissions (group_id, permission_id)
select 1, id from auth_permission where codename = 'view_eventmatcherpolicy';
insert into guardian_userobjectpermission (object_pk, content_type_id, permission_id, user_id)
select '33333333-3333-4333-8333-333333333333', content_type_id, id, 5
  from auth_permission where codename = 'view_eventmatcherpolicy';
insert into guardian_groupobjectpermission (object_pk, content_type_id, permission_id, group_id)
select '44444444-4444-4444-8444-444444444444', content_type_id, id, 2
  from auth_permission where codename = 'view_eventmatcherpolicy';

insert into authentik_core_token (user_id, identifier, key, intent, expiring, expires) values
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

insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope, expires) values
    (1, 'sample-token-admin', 'openid goauthentik.io/api', now() + interval '100 years'),
    (1, 'sample-token-no-scope', 'openid profile', now() + interval '100 years'),
    (1, 'sample-token-expired', 'goauthentik.io/api', now() - interval '1 hour');

commit;
