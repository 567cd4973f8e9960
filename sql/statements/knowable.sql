-- SPDX-License-Identifier: MIT
-- Whether what the tables show depends on nothing but the snapshot; if not, why. A view, a foreign table (also as a partition or
-- a child), row-level security, or storage other than PostgreSQL's own may show something else under the same snapshot. A
-- materialized view is a table in this. :needed is a part of sql/role.sql, the tables of all layouts.
prepare knowable as
with recursive relation (oid, name, kind, secured, storage, parent) as (
     select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relam, c.relhassubclass
       from (values :needed) as needed (layouts, relation, share, columns)
       join pg_class c
         on c.relname = needed.relation
        and c.relnamespace = (select n.oid from pg_namespace n where n.nspname = :'schema')
      union all
     select c.oid, c.relname, c.relkind, c.relrowsecurity, c.relam, c.relhassubclass
       from relation r
       join pg_inherits i on i.inhparent = r.oid
       join pg_class c on c.oid = i.inhrelid
      where r.parent)
select 1 as n, min(format('%s %s', name,
           case
           when kind = 'v' then 'is a view'
           when kind = 'f' then 'is a foreign table'
           when secured then 'has row-level security'
           else 'is not stored as PostgreSQL''s own tables are' end)) as obstacle
  from relation
 where kind not in ('r', 'p', 'm')
    or secured
    or storage not in (0, (select a.oid from pg_am a where a.amname = 'heap'));
