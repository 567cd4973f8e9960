-- SPDX-License-Identifier: MIT
-- Says so where something else stands in a table's place: what a view or a foreign table shows is whoever's made it, it may
-- be slow, a materialized one may be old (authentik itself keeps only its groups' ancestors so), and row-level security of what
-- is below it is not ours to see. :layout and :needed are parts of sql/role.sql.
with layout (name) as (
       select :layout from (values (:'schema')) as here (place))
select format('not a table but %s: %s; what is answered of it is as right, and as fast, as whoever made it saw to', kind.name,
              string_agg(c.relname, ', ' order by c.relname)) as remark
  from (values :needed) as needed (layouts, relation, share, columns)
  join pg_namespace n on n.nspname = :'schema'
  join pg_class c on c.relnamespace = n.oid and c.relname = needed.relation
  join (values ('v'::"char", 'a view'), ('m', 'a materialized view'), ('f', 'a foreign table')) as kind (code, name) on kind.code = c.relkind
 where (select name from layout) = any (needed.layouts::text[])
   and not (c.relkind = 'm' and c.relname = 'authentik_core_groupancestry')
 group by kind.name;
