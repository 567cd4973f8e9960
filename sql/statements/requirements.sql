-- SPDX-License-Identifier: MIT
-- Names, a row each with its kind, the tables, columns, types and privileges that the other statements need in this layout and the
-- database lacks, and the tables whose rows row-level security hides from us. No row: all are there. A role with BYPASSRLS
-- and a table's owner, unless it is forced on them, see every row, and nothing is missing for them. Whoever else may create tables in the schema could put one of their own
-- where one is missing: each is to be of an owner who may act as that of the API keys. :layout and :needed are
-- parts of sql/role.sql; a text may be character varying as well.
with layout (name) as (
       select :layout from (values (:'schema')) as here (place)),
     needed (layouts, relation, share, columns) as (values :needed),
     place as (
       select n.oid from pg_namespace n where n.nspname = :'schema' and has_schema_privilege(n.oid, 'usage')),
     found as (
       select needed.relation, needed.columns, c.oid, c.relowner
         from needed
         left join pg_class c
           on c.relname = needed.relation
          and c.relnamespace = (select oid from place)
          and c.relkind in ('r', 'p', 'v', 'm', 'f')
        where (select name from layout) = any (needed.layouts::text[])),
     wanted as (
       select found.relation, found.oid, split_part(wanted, ' ', 1) as name, substr(wanted, strpos(wanted, ' ') + 1) as type
         from found
        cross join lateral unnest(string_to_array(found.columns, ', ')) as wanted
        where found.oid is not null)
select 'the schema, or the privilege to use it, is missing' as missing, 'schema' as kind
 where not exists (select from place)
 union all
select format('the table %s is missing', relation), 'table'
  from found
 where oid is null and exists (select from place)
 union all
select format('the table %s is of an owner who may not act as that of authentik_core_token', relation), 'owner'
  from found
 where not pg_has_role(relowner, (select relowner from found where relation = 'authentik_core_token'), 'member')
 union all
select format('row-level security hides rows of the table %s from this role', relation), 'row security'
  from found
 where row_security_active(oid)
 union all
select case
       when a.attname is null then format('the column %s.%s is missing', relation, name)
       when replace(format_type(a.atttypid, null), 'character varying', 'text') <> type then
            format('the column %s.%s has the type %s, not %s', relation, name, format_type(a.atttypid, null), type)
       else format('the privilege to select the column %s.%s is missing', relation, name) end,
       case when a.attname is null or replace(format_type(a.atttypid, null), 'character varying', 'text') <> type then 'column'
       else 'privilege' end
  from wanted
  left join pg_attribute a on a.attrelid = oid and a.attname = name and a.attnum > 0 and not a.attisdropped
 where a.attname is null
    or replace(format_type(a.atttypid, null), 'character varying', 'text') <> type
    or not has_column_privilege(oid, a.attnum, 'select');
