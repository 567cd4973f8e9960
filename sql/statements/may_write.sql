-- SPDX-License-Identifier: MIT
-- Says so where the role may change what it is only to read: it is served, as all that we send is read-only, but whoever gets
-- hold of its password may do more than read. :layout and :needed are parts of sql/role.sql.
with layout (name) as (
       select :layout from (values (:'schema')) as here (place))
select format('the role %s may write to %s of the tables that it reads: one that sql/role.sql makes may only read', current_user,
              count(*)) as remark
  from (values :needed) as needed (layouts, relation, share, columns)
  join pg_namespace n on n.nspname = :'schema'
  join pg_class c on c.relnamespace = n.oid and c.relname = needed.relation
 where (select name from layout) = any (needed.layouts::text[])
   and (has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE') or has_any_column_privilege(c.oid, 'INSERT, UPDATE'))
having count(*) > 0;
