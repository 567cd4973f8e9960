-- SPDX-License-Identifier: MIT
-- Which of these pairs of a user ($1) and a policy ($2) an object grant names, to the user or to one of the user's
-- roles: one row a pair that is named; n is its place; $3 is the id of the permission view_eventmatcherpolicy.
prepare grants (int[], uuid[], int) as
select asked.n
  from unnest($1, $2) with ordinality as asked (user_id, policy, n)
 where case
       when exists (
            select
              from guardian_userobjectpermission o
             where o.user_id = asked.user_id and o.permission_id = $3 and o.object_pk = asked.policy::text) then true
       else exists (
            select
              from authentik_core_user_groups r
              join guardian_groupobjectpermission o
                on o.group_id = r.group_id and o.permission_id = $3 and o.object_pk = asked.policy::text
             where r.user_id = asked.user_id)
       end;
