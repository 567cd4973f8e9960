-- SPDX-License-Identifier: MIT
-- What the session for access tokens sets besides while no index finds them: one scan for a batch, whatever the
-- statistics say. A nested loop would compare each token with each key.
set enable_nestloop = off;
set enable_mergejoin = off;
