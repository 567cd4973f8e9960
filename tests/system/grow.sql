-- SPDX-License-Identifier: MIT
-- Makes the tables of a small directory large, behind the back of the planner: none of them is analyzed.

insert into authentik_core_group (group_uuid, name)
select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'grown-' || n from generate_series(1, 20000) n;
insert into authentik_core_groupparentage (child_id, parent_id)
select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid,
       ('eeeeeeee-0000-4000-8000-' || to_char(n - 1, 'FM000000000000'))::uuid from generate_series(1, 20000) n where n % 3 <> 1;
insert into authentik_core_user (id, username) select n, 'grown-' || n from generate_series(1001, 11000) n;
insert into authentik_core_user_groups (user_id, group_id)
select id, ('eeeeeeee-0000-4000-8000-' || to_char(id, 'FM000000000000'))::uuid from authentik_core_user where id > 1000;
insert into authentik_core_token (user_id, identifier, key)
select id, 'grown-' || id, 'grown-key-' || id from authentik_core_user where id > 1000;
insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope)
select 1, 'grown-token-' || n, 'goauthentik.io/api' from generate_series(1, 20000) n;
insert into authentik_rbac_role (uuid, name)
select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'grown-' || n from generate_series(1001, 11000) n;
insert into authentik_core_user_roles (user_id, role_id)
select id, ('eeeeeeee-0000-4000-8000-' || to_char(id, 'FM000000000000'))::uuid from authentik_core_user where id > 1000;
insert into authentik_core_group_roles (group_id, role_id)
select uuid, uuid from authentik_rbac_role where name like 'grown-%';
insert into guardian_rolemodelpermission (content_type_id, permission_id, role_id)
select p.content_type_id, p.id, r.uuid from authentik_rbac_role r, auth_permission p where r.name like 'grown-%';
insert into authentik_policies_policy (policy_uuid, name)
select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'grown-' || n from generate_series(1, 10000) n;
insert into authentik_policies_event_matcher_eventmatcherpolicy (policy_ptr_id)
select policy_uuid from authentik_policies_policy where name like 'grown-%';
insert into authentik_policies_policybinding (policy_id, target_id, "order")
select policy_uuid, gen_random_uuid(), 0 from authentik_policies_policy where name like 'grown-%';
insert into guardian_roleobjectpermission (object_pk, content_type_id, permission_id, role_id)
select k.policy_uuid::text, p.content_type_id, p.id, r.uuid
  from authentik_policies_policy k, auth_permission p, authentik_rbac_role r where k.name like 'grown-%' and r.name = 'grown-1001';
