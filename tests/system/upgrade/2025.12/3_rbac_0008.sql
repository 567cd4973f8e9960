-- SPDX-License-Identifier: MIT
-- authentik_rbac 0008_alter_role_group: a role may be without its group of django's, and may be managed.
alter table authentik_rbac_role alter column group_id drop not null;
alter table authentik_rbac_role add column managed text constraint authentik_rbac_role_managed_key unique;
create index authentik_rbac_role_managed_5b12694c_like on authentik_rbac_role (managed text_pattern_ops);
