-- SPDX-License-Identifier: MIT
-- The rows of data.sql, which explains them, on top of tests/system/tree/schema.sql: the layout of the releases up to
-- 2025.10, to be measured beside the newest.
begin;
insert into authentik_policies_policy (policy_uuid, name)
select ('00000000-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'policy-' || to_char(n, 'FM00000000')
  from generate_series(1, :policies) n;
insert into authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id, action)
select policy_uuid, 'login_failed' from authentik_policies_policy;
insert into authentik_policies_policy (policy_uuid, name)
select '00000000-0000-4000-8000-000010000000', 'policy-10000000' where :large > 0;
insert into authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id, action)
select '00000000-0000-4000-8000-000010000000', repeat('x', :large) where :large > 0;
insert into authentik_policies_policybinding (policy_id, target_id, "order")
select policy_uuid, gen_random_uuid(), 0 from authentik_policies_policy;

-- A chain's top is group n with n % depth = 0.
insert into authentik_core_group (group_uuid, name)
select ('cccccccc-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'group-' || n from generate_series(0, :groups - 1) n;
update authentik_core_group set parent_id = ('cccccccc-0000-4000-8000-' ||
       to_char(substr(name, 7)::int - 1, 'FM000000000000'))::uuid
 where substr(name, 7)::int % :depth <> 0;
insert into authentik_core_group (group_uuid, name, is_superuser)
values ('dddddddd-0000-4000-8000-000000000000', 'superusers', true);
insert into authentik_core_group (group_uuid, name, parent_id)
select ('dddddddd-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'deep-' || n,
       ('dddddddd-0000-4000-8000-' || to_char(n - 1, 'FM000000000000'))::uuid
  from generate_series(1, 10) n;

-- Users 10,001 ... are direct superusers, 20,001 ... see by a role, 30,001 ... by object grants, 40,001 ... by a group 10 up,
-- 50,001 ... have access tokens and are direct superusers.
insert into authentik_core_user (id, username)
select kind * 10000 + n, 'user-' || kind || '-' || n from generate_series(1, 5) kind, generate_series(1, 4000) n;
insert into authentik_core_user_ak_groups (user_id, group_id)
select u.id, ('cccccccc-0000-4000-8000-' || to_char((u.id * 7 + g * 13) % :groups, 'FM000000000000'))::uuid
  from authentik_core_user u, generate_series(1, :memberships - 1) g;
insert into authentik_core_user_ak_groups (user_id, group_id)
select id, case when id / 10000 = 4 then 'dddddddd-0000-4000-8000-000000000010' else 'dddddddd-0000-4000-8000-000000000000' end::uuid
  from authentik_core_user where id / 10000 in (1, 4, 5);
insert into auth_group (id, name) select n, 'role-' || n from generate_series(1, 100) n;
insert into auth_group_permissions (group_id, permission_id) select g.id, p.id from auth_group g, auth_permission p;
insert into authentik_core_user_groups (user_id, group_id)
select id, 1 + id % 100 from authentik_core_user where id / 10000 = 2;
insert into guardian_userobjectpermission (object_pk, content_type_id, permission_id, user_id)
select '00000000-0000-4000-8000-' || to_char(u.id - 30000 + k * 1000, 'FM000000000000'), p.content_type_id, p.id, u.id
  from authentik_core_user u, generate_series(0, 4) k, auth_permission p where u.id / 10000 = 3;
insert into authentik_core_token (user_id, identifier, key)
select id, 'key-' || id, md5(id::text) || '-bench' from authentik_core_user where id / 10000 <> 5;
insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope)
select id, md5(id::text) || '-bench', 'openid goauthentik.io/api' from authentik_core_user where id / 10000 = 5;
insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope)
select 50001, 'other-' || md5(n::text) || md5((n + 1)::text), 'openid profile' from generate_series(1, :tokens) n;
commit;
vacuum analyze;
