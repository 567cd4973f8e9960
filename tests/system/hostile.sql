-- SPDX-License-Identifier: MIT
-- What somebody who may create objects in the schema :place can leave there for others to run into. Each function says who
-- called it and fails; the names and signatures are those of every function of the server's that has one of :names, with
-- each concrete type that ours have in the place of a polymorphic one.
set role mallory;
set search_path = pg_catalog, pg_temp;
create function :"place".hostile(text) returns text language plpgsql as $$ begin raise 'hostile: % for %', $1, current_user; end $$;
select set_config('hostile.place', :'place', false), set_config('hostile.names', :'names', false) \gset ignored_
do $$
declare
    place constant text := current_setting('hostile.place');
    types constant text[] := '{text,character varying,uuid,integer,bigint,boolean,oid,name,timestamptz,smallint}';
    plain constant text[] := '{text,character varying,name,uuid,integer,bigint}';
    relations constant text[] := '{pg_namespace,pg_class,pg_attribute,pg_index,pg_roles,pg_proc,pg_type}';
    body text;
    f record;
    t text;
    u text;
begin
    -- Functions, also those that take anything, with one, two and three arguments of each type.
    for f in select p.proname, p.proretset, array_to_string(array (
                    select format_type(case a.type when 'anyelement'::regtype then e.type when 'anynonarray'::regtype then e.type
                                       when 'anycompatible'::regtype then e.type
                                       when 'anyarray'::regtype then e.many when 'anycompatiblearray'::regtype then e.many
                                       when '"any"'::regtype then e.type else a.type end, null)
                      from unnest(p.proargtypes) with ordinality as a (type, n) order by n), ', ') as arguments
               from pg_proc p
               cross join (select typname, oid as type, typarray as many from pg_type
                            where oid = any (types::regtype[])) as e
              where p.pronamespace = 'pg_catalog'::regnamespace
                and p.proname = any (string_to_array(current_setting('hostile.names'), ' '))
                and not 'internal'::regtype = any (p.proargtypes)
    loop
        body := format('begin perform %I.hostile(%L); return; end', place, f.proname);
        begin
            execute format('create function %I.%I(%s) returns %s language plpgsql as %L', place, f.proname, f.arguments,
                           case when f.proretset then 'setof text' else 'void' end, body);
        exception when duplicate_function or invalid_function_definition or feature_not_supported then null;
        end;
    end loop;
    -- The same names for arguments that the server's take only by a cast: what fits exactly is called instead of them.
    for f in select distinct p.proname, a.arguments
               from pg_proc p
               cross join (select array[t.type] as arguments from unnest(plain) as t (type)
                           union all
                           select array[t.type, u.type] from unnest(plain) as t (type), unnest(plain) as u (type)) as a
              where p.pronamespace = 'pg_catalog'::regnamespace and cardinality(a.arguments) = p.pronargs
                and p.proname = any (string_to_array(current_setting('hostile.names'), ' '))
    loop
        begin
            execute format('create function %I.%I(%s) returns text language plpgsql as %L', place, f.proname,
                           array_to_string(f.arguments, ', '), format('begin perform %I.hostile(%L); end', place, f.proname));
        exception when duplicate_function then null;
        end;
    end loop;
    foreach t in array types || array ['text[]', 'uuid[]', 'integer[]'] loop
        foreach u in array types || array ['text[]', 'uuid[]', 'integer[]'] loop
            begin
                execute format('create function %I.format(text, %s, %s) returns text language plpgsql as %L', place, t, u, format(
                    'begin perform %I.hostile(''format''); end', place));
            exception when duplicate_function then null;
            end;
            execute format('create function %I.hostile_operator(%s, %s) returns boolean language plpgsql as %L', place, t, u, format(
                'begin perform %I.hostile(''an operator''); end', place));
            execute (select string_agg(format('create operator %I.%s (leftarg = %s, rightarg = %s, function = %I.hostile_operator)',
                                              place, o, t, u, place), ';')
                       from unnest('{=,<>,<,>,<=,>=,||,~,~~,~~*,+,-}'::text[]) as o);
        end loop;
    end loop;
    -- Types, a cast, tables and views in the catalogue's names.
    foreach t in array '{text,varchar,uuid,int4,int8,bool,oid,name,regclass,timestamptz}'::text[] loop
        execute format('create domain %I.%I as pg_catalog.%I check (%I.hostile(''a type'') is not null)', place, t, t, place);
    end loop;
    execute format('create type %I.evil as (it pg_catalog.text)', place);
    execute format('create function %I.evil(pg_catalog.text) returns %I.evil language plpgsql as %L', place, place, format(
        'begin perform %I.hostile(''a cast''); end', place));
    execute format('create cast (pg_catalog.text as %I.evil) with function %I.evil(pg_catalog.text) as implicit', place, place);
    foreach t in array relations loop
        execute format('create view %I.%I as select %I.hostile(%L)', place, t, place, 'the view ' || t);
        execute format('grant select on %I.%I to public', place, t);
    end loop;
end
$$;
reset role;
