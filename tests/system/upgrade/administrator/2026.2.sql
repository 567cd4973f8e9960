-- SPDX-License-Identifier: MIT
-- On 2026.2 an administrator lets a user leave a group, and takes from a role what auth_group_permissions still gives it.
delete from authentik_core_user_groups
 where user_id = (select id from authentik_core_user where username = 'up-left');
delete from guardian_rolemodelpermission
 where role_id = (select uuid from authentik_rbac_role where name = 'up-emptied');
