-- SPDX-License-Identifier: MIT
-- How every session of ours is set up. Nothing but pg_catalog is searched, so no function, operator or type that somebody
-- else has made can stand in for the server's own (CVE-2018-1058); tables are named with their schema. This statement is
-- read before that holds: its one function names its schema, and it has no operator and no type. Without row_security
-- PostgreSQL refuses a query whose rows a policy would hide from us, where it would leave them out. The generic plan is
-- essential: planned anew each time, our statements cost thrice as much. A lock is waited for for less than deadlock_timeout
-- (1 s), so that of a deadlock with a migration we are the ones who give way. No row comes back: one round trip is enough.
select
  from (values ('search_path', 'pg_catalog, pg_temp'),
               ('row_security', 'off'),
               ('statement_timeout', :'statement_timeout'),
               ('lock_timeout', :'lock_timeout'),
               ('default_transaction_read_only', 'on'),
               ('client_connection_check_interval', '500'),
               ('client_min_messages', 'warning'),
               ('jit', 'off'),
               ('max_parallel_workers_per_gather', '0'),
               ('plan_cache_mode', 'force_generic_plan')) as setting (name, value)
 where pg_catalog.set_config(name, value, false) is null;
