-- SPDX-License-Identifier: MIT
-- How every session of ours is set up, or, where a pooler lends us one that is not ours, how one transaction is (:local).
-- Nothing but pg_catalog is searched, so no function, operator or type that somebody else has made can stand in for the
-- server's own (CVE-2018-1058); tables are named with their schema. This statement is read before that holds: its functions
-- name their schema, and it has no operator and no type. Without row_security PostgreSQL refuses a query whose rows a policy
-- would hide from us, where it would leave them out. The generic plan is essential: planned anew each time, our statements
-- cost thrice as much. A lock is waited for for less than deadlock_timeout (1 s), so that of a deadlock with a migration we
-- are the ones who give way. Our parameters are keys, and no error is to bring them into the server's log. All else is
-- here because a role, a database or a server may set it, and an answer, its plan or the session's life would follow: each
-- has the value that our statements were written for. What a version of PostgreSQL lacks is left out. No row comes back:
-- one round trip is enough.
select
  from (values ('search_path', 'pg_catalog, pg_temp'),
               ('client_encoding', 'UTF8'),
               ('standard_conforming_strings', 'on'),
               ('row_security', 'off'),
               ('statement_timeout', :'statement_timeout'),
               ('lock_timeout', :'lock_timeout'),
               ('transaction_timeout', '0'),
               ('idle_in_transaction_session_timeout', '0'),
               ('idle_session_timeout', '0'),
               ('client_connection_check_interval', '500'),
               ('exit_on_error', 'off'),
               ('transaction_read_only', 'on'),
               ('default_transaction_read_only', 'on'),
               ('default_transaction_isolation', 'read committed'),
               ('default_transaction_deferrable', 'off'),
               ('client_min_messages', 'warning'),
               ('log_parameter_max_length_on_error', '0'),
               ('DateStyle', 'ISO, MDY'),
               ('IntervalStyle', 'postgres'),
               ('TimeZone', 'UTC'),
               ('bytea_output', 'hex'),
               ('extra_float_digits', '1'),
               ('array_nulls', 'on'),
               ('transform_null_equals', 'off'),
               ('quote_all_identifiers', 'off'),
               ('plan_cache_mode', 'force_generic_plan'),
               ('constraint_exclusion', 'partition'),
               ('from_collapse_limit', '8'),
               ('join_collapse_limit', '8'),
               ('geqo', 'off'),
               ('jit', 'off'),
               ('max_parallel_workers_per_gather', '0'),
               ('force_parallel_mode', 'off'),
               ('debug_parallel_query', 'off'),
               ('enable_seqscan', 'on'),
               ('enable_indexscan', 'on'),
               ('enable_indexonlyscan', 'on'),
               ('enable_bitmapscan', 'on'),
               ('enable_nestloop', 'on'),
               ('enable_hashjoin', 'on'),
               ('enable_mergejoin', 'on'),
               ('enable_hashagg', 'on'),
               ('enable_sort', 'on'),
               ('enable_incremental_sort', 'on'),
               ('enable_material', 'on'),
               ('enable_memoize', 'on')) as setting (name, value)
 where case
       when pg_catalog.current_setting(name, true) is null then false
       else pg_catalog.set_config(name, value, :'local') is null end;
