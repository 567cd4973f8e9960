-- SPDX-License-Identifier: MIT
-- Callers for the upgrade under load, for a recorded 2025.10: each has one way to a right, and a key with the same name.
create temp table caller (name text);
insert into caller
select 'up-' || name from unnest('{superuser,parent,deep,permission,object,role,role-object,ancestor,ancestor-object,directly,
                                   nobody,taken,given,left,emptied}'::text[]) name;
insert into authentik_core_user (username, name, path, type, is_active, attributes, password, first_name, last_name, email, uuid,
                                 date_joined, last_updated, password_change_date)
select name, name, 'users', 'internal', true, '{}', '', '', '', '', gen_random_uuid(), now(), now(), now() from caller;
insert into authentik_core_token (token_uuid, key, identifier, description, intent, expiring, user_id)
select gen_random_uuid(), username, username, '', 'api', false, id from authentik_core_user where username like 'up-%';

-- A chain: up-chain-1 is the superusers' own, up-chain-2 its child, and so on.
insert into authentik_core_group (group_uuid, name, is_superuser, attributes)
select gen_random_uuid(), 'up-chain-' || n, n = 1, '{}' from generate_series(1, 26) n;
update authentik_core_group child set parent_id = parent.group_uuid
  from authentik_core_group parent, generate_series(2, 26) n
 where child.name = 'up-chain-' || n and parent.name = 'up-chain-' || n - 1;

-- Groups with a role each, and a child each.
insert into auth_group (name) values ('up-all'), ('up-one'), ('up-emptied');
insert into authentik_rbac_role (uuid, name, group_id)
select gen_random_uuid(), name, id from auth_group where name like 'up-%';
insert into authentik_core_group (group_uuid, name, is_superuser, attributes)
select gen_random_uuid(), name, false, '{}' from auth_group where name like 'up-%';
insert into authentik_core_group (group_uuid, name, is_superuser, attributes, parent_id)
select gen_random_uuid(), name || '-child', false, '{}', group_uuid from authentik_core_group where name in ('up-all', 'up-one');
insert into authentik_core_group_roles (group_id, role_id)
select g.group_uuid, r.uuid from authentik_rbac_role r join authentik_core_group g on g.name = r.name where r.name like 'up-%';

create temp table member (user_name text, group_name text);
insert into member
values ('up-superuser', 'up-chain-1'), ('up-parent', 'up-chain-2'), ('up-deep', 'up-chain-26'), ('up-role', 'up-all'),
       ('up-role-object', 'up-one'), ('up-ancestor', 'up-all-child'), ('up-ancestor-object', 'up-one-child'),
       ('up-left', 'up-all'), ('up-emptied', 'up-emptied');
insert into authentik_core_user_ak_groups (user_id, group_id)
select u.id, g.group_uuid
  from member join authentik_core_user u on u.username = user_name join authentik_core_group g on g.name = group_name;
-- authentik mirrors a role only to a group's own members. up-directly has one without being a member.
insert into authentik_core_user_groups (user_id, group_id)
select u.id, a.id
  from (select * from member union all values ('up-directly', 'up-all')) m
  join authentik_core_user u on u.username = m.user_name join auth_group a on a.name = m.group_name;

create temp table viewing as
select p.id, p.content_type_id from auth_permission p where p.codename = 'view_eventmatcherpolicy';
insert into authentik_core_user_user_permissions (user_id, permission_id)
select u.id, viewing.id from viewing, authentik_core_user u where u.username in ('up-permission', 'up-taken');
insert into auth_group_permissions (group_id, permission_id)
select a.id, viewing.id from viewing, auth_group a where a.name in ('up-all', 'up-emptied');
insert into guardian_userobjectpermission (user_id, permission_id, content_type_id, object_pk)
select u.id, viewing.id, content_type_id, '00000000-0000-4000-8000-000000000102'
  from viewing, authentik_core_user u where u.username = 'up-object';
insert into guardian_groupobjectpermission (group_id, permission_id, content_type_id, object_pk)
select a.id, viewing.id, content_type_id, '00000000-0000-4000-8000-000000000102'
  from viewing, auth_group a where a.name = 'up-one';
