-- SPDX-License-Identifier: MIT
-- authentik_core 0057_remove_user_groups_remove_user_user_permissions_and_more: a name changes its meaning in one commit.
drop table authentik_core_user_user_permissions;
drop table authentik_core_user_groups;
alter table authentik_core_user_ak_groups rename to authentik_core_user_groups;
