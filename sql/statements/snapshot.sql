-- SPDX-License-Identifier: MIT
-- What the server's state is, before all other statements of a batch: the snapshot's text says which transactions have ended.
-- Where it is the same once more, none that could have changed a table has ended between the two. now is the time by which the
-- statements of the batch, one transaction, judge what has expired; the session sets its form, and such texts are in order.
-- backend: whose facts are known, and no standby's, as they said; what another server's process says here is not compared.
prepare snapshot as
select 1 as n, pg_current_snapshot() as snapshot, now() as now, pg_backend_pid() as backend;
