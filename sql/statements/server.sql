-- SPDX-License-Identifier: MIT
-- What a check tells of the server besides: its clock, the role, whether it is a standby, what the role may do beyond reading
-- what is granted to it, the roles that it is a member of.
select date_part('epoch', clock_timestamp()), current_user, pg_is_in_recovery(),
       concat_ws(', ', case when r.rolsuper then 'superuser' end, case when r.rolcreaterole then 'createrole' end,
                 case when r.rolcreatedb then 'createdb' end, case when r.rolreplication then 'replication' end,
                 case when r.rolbypassrls then 'bypassrls' end),
       coalesce((
       select string_agg(g.rolname, ', ' order by g.rolname)
         from pg_auth_members m
         join pg_roles g on g.oid = m.roleid
        where m.member = r.oid), '')
  from pg_roles r
 where r.rolname = current_user;
