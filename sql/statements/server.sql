-- SPDX-License-Identifier: MIT
-- What a check tells of the server besides: its clock, the role, whether it is a standby. It may run in a session that a
-- pooler lends, which nothing has set up: every function names its schema, and there is no operator.
select pg_catalog.date_part('epoch', pg_catalog.clock_timestamp()), current_user, pg_catalog.pg_is_in_recovery();
