-- SPDX-License-Identifier: MIT
-- What the session for access tokens sets besides while no index finds them: one scan for a batch, whatever the
-- statistics say. A nested loop would compare each token with each key.
select
  from (values ('enable_nestloop', 'off'), ('enable_mergejoin', 'off')) as setting (name, value)
 where pg_catalog.set_config(name, value, :'local') is null;
