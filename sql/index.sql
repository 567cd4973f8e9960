-- SPDX-License-Identifier: MIT
-- The index that authentik 2024.8 lacks: without it every key that is no API token costs a scan of all access tokens.
-- A hash index, because a token may be longer than a B-tree takes. CONCURRENTLY, so nobody waits: outside a transaction.
-- Interrupted, it leaves an invalid index, which "if not exists" passes over: the last statement finds it and says so.
-- Where the tables are in another schema than public: psql -v schema=tenant -f sql/index.sql
\if :{?schema}
\else
  \set schema public
\endif
-- Nothing of the schema is searched: functions and operators made there by others would run with your rights.
set search_path = pg_catalog, pg_temp;

create index concurrently if not exists event_matcher_accesstoken_token
    on :"schema".authentik_providers_oauth2_accesstoken using hash (token);

select set_config('event_matcher.schema', :'schema', false) as schema \gset indexed_
do $$
declare
    place constant text := current_setting('event_matcher.schema');
begin
    if not exists (select from pg_index
                    where indexrelid = to_regclass(format('%I.event_matcher_accesstoken_token', place))
                      and indrelid = to_regclass(format('%I.authentik_providers_oauth2_accesstoken', place))
                      and indisvalid) then
        raise exception 'the index event_matcher_accesstoken_token is invalid: interrupted, or still being built'
            using hint = 'where nobody builds it: drop index concurrently event_matcher_accesstoken_token; and again';
    end if;
end
$$;
reset event_matcher.schema;
reset search_path;
