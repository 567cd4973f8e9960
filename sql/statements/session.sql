-- SPDX-License-Identifier: MIT
-- How every session of ours is set up; search_path and statement_timeout follow from the settings.
-- The generic plan is essential: planned anew each time, our statements cost thrice as much.
set default_transaction_read_only = on;
set client_connection_check_interval = 500;
set client_min_messages = warning;
set jit = off;
set max_parallel_workers_per_gather = 0;
set plan_cache_mode = force_generic_plan;
