-- SPDX-License-Identifier: MIT
-- Fails where the session is not the one that the connection began with (:backend, which that was told at its start): a
-- pooler stands between, and lends sessions. What follows in the same pipeline is skipped then, so nothing of ours is left
-- in a session that is somebody else's next. The text of the error is for the server's log; a case is not evaluated before
-- its time.
select case pg_backend_pid() when :backend then '0' else 'a pooler stands between' end::integer as alone;
