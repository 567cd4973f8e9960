-- SPDX-License-Identifier: MIT
-- Says so where authentik has several tenants: which schema a request is about follows from the host that it asks, and
-- this program has one schema.
select format('authentik has %s tenants, in the schemas %s: a pool serves one of them, --schema says which', count(*),
              string_agg(t.schema_name, ', ' order by t.schema_name)) as remark
  from public.authentik_tenants_tenant t
 where t.ready
having count(*) > 1;
