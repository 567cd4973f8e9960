-- SPDX-License-Identifier: MIT
-- Says so where a later authentik has given event matcher policies a column that this program does not know.
select format('this program does not know the column %s of event matcher policies: what authentik answers of it is missing',
              string_agg(a.attname, ', ' order by a.attnum)) as remark
  from pg_attribute a
 where a.attrelid = to_regclass(format('%I.authentik_policies_event_matcher_eventmatcherpolicy', :'schema'))
   and a.attnum > 0
   and not a.attisdropped
   and a.attname not in ('policy_ptr_id', 'action', 'client_ip', 'app', 'model', 'query')
having count(*) > 0;
