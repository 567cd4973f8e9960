-- SPDX-License-Identifier: MIT
-- The benchmark's rows, on top of sql/schema.sql: :policies policies, and, where :large is not 0, one more whose action is
-- so many bytes long; 4,000 callers of each kind, each with a key of its own and in :memberships groups of :groups in all,
-- which stand in chains of :depth; :tokens access tokens that open nothing.
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

insert into authentik_core_group (group_uuid, name)
select ('cccccccc-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'group-' || n from generate_series(0, :groups - 1) n;
insert into authentik_core_group (group_uuid, name, is_superuser)
select ('dddddddd-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'deep-' || n, n = 0 from generate_series(0, 10) n;
-- A chain's top is group n with n % depth = 0, and deep-0. One statement, as each refreshes the view of ancestors.
insert into authentik_core_groupparentage (child_id, parent_id)
select (prefix || to_char(n, 'FM000000000000'))::uuid, (prefix || to_char(n - 1, 'FM000000000000'))::uuid
  from (select 'cccccccc-0000-4000-8000-' as prefix, n from generate_series(0, :groups - 1) n where n % :depth <> 0
         union all
        select 'dddddddd-0000-4000-8000-', n from generate_series(1, 10) n) chain;

-- Users 10,001 ... are direct superusers, 20,001 ... see by a role, 30,001 ... by object grants, 40,001 ... by a group 10 up,
-- 50,001 ... have access tokens and are direct superusers.
insert into authentik_core_user (id, username)
select kind * 10000 + n, 'user-' || kind || '-' || n from generate_series(1, 5) kind, generate_series(1, 4000) n;
insert into authentik_core_user_groups (user_id, group_id)
select u.id, ('cccccccc-0000-4000-8000-' || to_char((u.id * 7 + g * 13) % :groups, 'FM000000000000'))::uuid
  from authentik_core_user u, generate_series(1, :memberships - 1) g;
insert into authentik_core_user_groups (user_id, group_id)
select id, case when id / 10000 = 4 then 'dddddddd-0000-4000-8000-000000000010' else 'dddddddd-0000-4000-8000-000000000000' end::uuid
  from authentik_core_user where id / 10000 in (1, 4, 5);
-- Roles 1 to 100 see all; roles 30,001 ... see five policies each, and belong to the user of that number.
insert into authentik_rbac_role (uuid, name)
select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'role-' || n
  from (select generate_series(1, 100) union all select id from authentik_core_user where id / 10000 = 3) role (n);
insert into guardian_rolemodelpermission (content_type_id, permission_id, role_id)
select p.content_type_id, p.id, r.uuid from authentik_rbac_role r, auth_permission p where substr(r.name, 6)::int <= 100;
insert into guardian_roleobjectpermission (object_pk, content_type_id, permission_id, role_id)
select '00000000-0000-4000-8000-' || to_char(substr(r.name, 6)::int - 30000 + k * 1000, 'FM000000000000'), p.content_type_id, p.id,
       r.uuid
  from authentik_rbac_role r, generate_series(0, 4) k, auth_permission p where substr(r.name, 6)::int > 100;
insert into authentik_core_user_roles (user_id, role_id)
select id, ('eeeeeeee-0000-4000-8000-' ||
       to_char(case when id / 10000 = 2 then 1 + id % 100 else id end, 'FM000000000000'))::uuid
  from authentik_core_user where id / 10000 in (2, 3);
insert into authentik_core_token (user_id, identifier, key)
select id, 'key-' || id, md5(id::text) || '-bench' from authentik_core_user where id / 10000 <> 5;
insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope)
select id, md5(id::text) || '-bench', 'openid goauthentik.io/api' from authentik_core_user where id / 10000 = 5;
insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope)
select 50001, 'other-' || md5(n::text) || md5((n + 1)::text), 'openid profile' from generate_series(1, :tokens) n;
commit;
vacuum analyze;
