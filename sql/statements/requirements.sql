-- SPDX-License-Identifier: MIT
-- :needed stands for the list of that name in sql/role.sql.
-- Names, a row each, the tables, columns and privileges that the other statements need and the database lacks in the
-- schema that comes first in the search path. No row: all are there.
with needed (relation, columns) as (values
:needed
     ),
     place as (
       select n.oid from pg_catalog.pg_namespace n where n.nspname = current_schema()),
     found as (
       select needed.relation, needed.columns, c.oid
         from needed
         left join pg_catalog.pg_class c
           on c.relname = needed.relation
          and c.relnamespace = (select oid from place)
          and c.relkind in ('r', 'p', 'v', 'm', 'f'))
select 'the schema, or the privilege to use it, is missing' as missing
 where not exists (select from place)
 union all
select format('the table %s is missing', relation)
  from found
 where oid is null and exists (select from place)
 union all
select case when a.attname is null then format('the column %s.%s is missing', relation, wanted)
            else format('the privilege to select the column %s.%s is missing', relation, wanted) end
  from found
 cross join lateral unnest(string_to_array(columns, ', ')) as wanted
  left join pg_catalog.pg_attribute a on a.attrelid = oid and a.attname = wanted and a.attnum > 0 and not a.attisdropped
 where oid is not null
   and (a.attname is null or not has_column_privilege(oid, a.attnum, 'select'));
