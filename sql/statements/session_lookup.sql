-- SPDX-License-Identifier: MIT
-- What a session sets besides whose statements are to be nothing but index look-ups, joined in the order written. That
-- keeps the plans right for tables of any size and with statistics of any age.
select
  from (values ('enable_seqscan', 'off'), ('enable_hashjoin', 'off'), ('enable_mergejoin', 'off'),
               ('enable_bitmapscan', 'off'), ('enable_memoize', 'off'), ('enable_material', 'off'),
               ('join_collapse_limit', '1')) as setting (name, value)
 where case
       when pg_catalog.current_setting(name, true) is null then false
       else pg_catalog.set_config(name, value, :'local') is null end;
