-- SPDX-License-Identifier: MIT
-- On 2025.12 an administrator takes a permission away, of which the old table keeps its row, and gives another one a role.
delete from guardian_rolemodelpermission
 where role_id in (select m.role_id from authentik_core_user_roles m
                     join authentik_core_user u on u.id = m.user_id where u.username = 'up-taken');
insert into authentik_core_user_roles (user_id, role_id)
select u.id, r.uuid from authentik_core_user u, authentik_rbac_role r where u.username = 'up-given' and r.name = 'up-all';
