-- SPDX-License-Identifier: MIT
-- Two indexes, hash ones, because a token may be longer than a B-tree takes. CONCURRENTLY, so nobody waits: outside a transaction.
-- event_matcher_accesstoken_token is what authentik 2024.8 lacks: without an index every key that is no API token costs a scan of
-- all access tokens. It is made where no other one finds them.
-- event_matcher_token_key finds API keys as authentik's own B-tree does, with a tenth less of PostgreSQL's work for a batch of 16.
-- Interrupted, it leaves an invalid index, which "if not exists" passes over: the last statement finds it and says so.
-- Where the tables are in another schema than public: psql -v schema=tenant -f sql/index.sql
\if :{?schema}
\else
  \set schema public
\endif
-- Nothing of the schema is searched: functions and operators made there by others would run with your rights.
set search_path = pg_catalog, pg_temp;

select exists (
       select
         from pg_index i
         join pg_class c on c.oid = i.indexrelid and c.relname <> 'event_matcher_accesstoken_token'
         join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
        where i.indrelid = to_regclass(format('%I.authentik_providers_oauth2_accesstoken', :'schema'))
          and i.indisvalid
          and i.indpred is null
          and a.attname = 'token') as found \gset token_
\if :token_found
\else
  create index concurrently if not exists event_matcher_accesstoken_token
      on :"schema".authentik_providers_oauth2_accesstoken using hash (token);
\endif
create index concurrently if not exists event_matcher_token_key on :"schema".authentik_core_token using hash (key);

select set_config('event_matcher.schema', :'schema', false) as schema, set_config('event_matcher.found', :'token_found', false) as found
\gset indexed_
do $$
declare
    place constant text := current_setting('event_matcher.schema');
    invalid constant text := (
        select min(name)
          from (values ('event_matcher_accesstoken_token', 'authentik_providers_oauth2_accesstoken'),
                       ('event_matcher_token_key', 'authentik_core_token')) as made (name, relation)
         where not (relation ~ 'access' and current_setting('event_matcher.found')::boolean)
           and not exists (select from pg_index
                            where indexrelid = to_regclass(format('%I.%I', place, name))
                              and indrelid = to_regclass(format('%I.%I', place, relation))
                              and indisvalid));
begin
    if invalid is not null then
        raise exception 'the index % is invalid: interrupted, or still being built', invalid
            using hint = format('where nobody builds it: drop index concurrently %I; and again', invalid);
    end if;
end
$$;
reset event_matcher.schema;
reset event_matcher.found;
reset search_path;
