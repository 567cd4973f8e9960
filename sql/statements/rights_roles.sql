-- SPDX-License-Identifier: MIT
-- rights_tree.sql for databases in which roles hold the rights and a group has many parents (authentik 2025.12 and later):
-- the same parameters, the same columns, and the same two promises: the cheapest step first, and nothing but index
-- look-ups from the user outwards. :members is the table of a user's groups.
-- A user sees all as a member of a group that is a superuser's or that holds a role with the permission, itself or by an
-- ancestor at any distance, or by a role of the user's own. superuser_by and $2 name the user's own group that is why,
-- in either case; what a group opens is found out once for all users in $1 that are believed to see all by it.
-- opening: those of the groups in $2 that do open all. Each is looked up once a batch, and only if somebody needs it.
-- reached: the user's groups, then their ancestors. held: the user's roles in the same order, after the user's own ones.
-- Both are filled as far as somebody reads them, at most once for a user.
-- The tables of rights that earlier releases used may still be there, with the rows of that time, and are not read.
prepare rights (int[], uuid[], int[], int[], uuid[], int) as
with superuser (groups) as materialized (
     select array (select g.group_uuid from :"schema".authentik_core_group g where g.is_superuser)),
     opening (groups) as materialized (
     select array (
            select b.id
              from (select distinct on (id) id from unnest($2) as id order by id) b
             where exists (
                   select
                     from (select unnest(b.id || array (
                                  select a.ancestor_id
                                    from :"schema".authentik_core_groupancestry a
                                   where a.descendant_id = b.id)) as id
                          offset 0) g
                    where g.id = any ((select groups from superuser)::uuid[])
                       or exists (
                          select
                            from :"schema".authentik_core_group_roles r
                           where r.group_id = g.id
                             and exists (
                                 select
                                   from :"schema".guardian_rolemodelpermission p
                                  where p.role_id = r.role_id and p.permission_id = $6
                                 offset 0)
                          offset 0))))
select asked.n, known.sees_all, object.granted, known.sees_all or object.sees_any as sees_any, object.superuser_by
  from unnest($1, $2, $3, $4) with ordinality as asked (id, believed, first_policy, last_policy, n)
 cross join lateral (
       select case
              when asked.believed <> '00000000-0000-0000-0000-000000000000'
               and exists (
                   select
                     from :"schema".:members m
                    where m.user_id = asked.id and m.group_id = asked.believed)
               and asked.believed = any ((select groups from opening)::uuid[]) then true
              else exists (
                   select
                     from :"schema".authentik_core_user_roles r
                    where r.user_id = asked.id
                      and exists (
                          select
                            from :"schema".guardian_rolemodelpermission p
                           where p.role_id = r.role_id and p.permission_id = $6
                          offset 0)
                   offset 0)
              end as sees_all
       offset 0) known
 left join lateral (
       with own (id) as materialized (
            select m.group_id from :"schema".:members m where m.user_id = asked.id),
            reached (own, id) as materialized (
            select id, id from own
             union all
            select own.id, a.ancestor_id
              from own
             cross join lateral (
                   select a.ancestor_id
                     from :"schema".authentik_core_groupancestry a
                    where a.descendant_id = own.id
                   offset 0) a),
            held (own, role_id) as materialized (
            select null::uuid, r.role_id from :"schema".authentik_core_user_roles r where r.user_id = asked.id
             union all
            select reached.own, r.role_id
              from reached
             cross join lateral (
                   select r.role_id from :"schema".authentik_core_group_roles r where r.group_id = reached.id offset 0) r)
       select policies.granted,
              case
              when true = any (policies.granted) then true
              else exists (
                   select
                     from held
                    where exists (
                          select
                            from :"schema".guardian_roleobjectpermission o
                           where o.role_id = held.role_id and o.permission_id = $6
                             and exists (
                                 select
                                   from :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
                                  where e.policy_ptr_id = case
                                        when o.object_pk ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
                                        then o.object_pk::uuid end
                                 offset 0)
                          offset 0))
              end as sees_any,
              case when false = any (policies.granted) then coalesce(
                  (select own from reached where id = any ((select groups from superuser)::uuid[]) limit 1),
                  (select held.own
                     from held
                    where exists (
                          select
                            from :"schema".guardian_rolemodelpermission p
                           where p.role_id = held.role_id and p.permission_id = $6
                          offset 0)
                    limit 1))
              end as superuser_by
         from (select array (
                      select exists (
                             select
                               from :"schema".authentik_policies_event_matcher_eventmatcherpolicy e
                              where e.policy_ptr_id = policy.id
                             offset 0)
                         and exists (
                             select
                               from held
                              where exists (
                                    select
                                      from :"schema".guardian_roleobjectpermission o
                                     where o.role_id = held.role_id and o.permission_id = $6
                                       and o.object_pk = policy.id::text
                                    offset 0))
                        from unnest($5[asked.first_policy : asked.last_policy]) as policy (id)) as granted
               offset 0) policies
        where not known.sees_all
       offset 0) object on true;
