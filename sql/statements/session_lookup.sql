-- SPDX-License-Identifier: MIT
-- What a session sets besides whose statements are to be nothing but index look-ups, joined in the order written. That
-- keeps the plans right for tables of any size and with statistics of any age.
set enable_seqscan = off;
set enable_hashjoin = off;
set enable_mergejoin = off;
set join_collapse_limit = 1;
