-- SPDX-License-Identifier: MIT
-- authentik_tenants 0007_tenant_pagination_default_page_size_and_more: two columns that nobody here reads.
alter table authentik_tenants_tenant
    add column pagination_default_page_size integer default 20 not null
        constraint authentik_tenants_tenant_pagination_default_page_size_check check (pagination_default_page_size >= 0),
    add column pagination_max_page_size integer default 100 not null
        constraint authentik_tenants_tenant_pagination_max_page_size_check check (pagination_max_page_size >= 0);
alter table authentik_tenants_tenant
    alter column pagination_default_page_size drop default,
    alter column pagination_max_page_size drop default;
