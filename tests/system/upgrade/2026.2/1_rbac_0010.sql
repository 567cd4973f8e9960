-- SPDX-License-Identifier: MIT
-- authentik_rbac 0010_remove_role_group_alter_role_name: a role's last tie to its group of django's goes.
alter table authentik_rbac_role drop column group_id;
