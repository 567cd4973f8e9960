# SPDX-License-Identifier: MIT
"""authentik's upgrade, one transaction for each of its migrations that touches a table read here, and catalogues to compare."""
import collections
import pathlib
import time

import psycopg

import load

FOLDER = pathlib.Path(__file__).resolve().parent / "upgrade"

# What this program reads of any release.
TABLES = """
    auth_group_permissions auth_permission authentik_core_group authentik_core_group_roles authentik_core_groupancestry
    authentik_core_groupparentage authentik_core_session authentik_core_token authentik_core_user authentik_core_user_ak_groups
    authentik_core_user_groups authentik_core_user_roles authentik_core_user_user_permissions
    authentik_policies_event_matcher_eventmatcherpolicy authentik_policies_policy authentik_policies_policybinding
    authentik_providers_oauth2_accesstoken authentik_rbac_role authentik_stages_prompt_promptstage_validation_policies
    authentik_tenants_tenant django_content_type guardian_groupobjectpermission guardian_rolemodelpermission
    guardian_roleobjectpermission guardian_userobjectpermission""".split()

# A trigger's function is not compared: its words are authentik's, a test proves what ours does.
CATALOGUE = """
with t as (select c.* from pg_class c where c.relnamespace = 'public'::regnamespace and c.relname = any (%s))
select relname, 'kind', relkind::text || case when relispopulated then '' else ', unpopulated' end from t
 union all
select relname, 'column', format('%%s %%s%%s%%s %%s', attname, format_type(atttypid, atttypmod),
                                 case when attnotnull then ' not null' end,
                                 case when attidentity <> '' then ' identity' end, pg_get_expr(adbin, adrelid))
  from t join pg_attribute a on attrelid = t.oid and attnum > 0 and not attisdropped
  left join pg_attrdef d on adrelid = t.oid and adnum = attnum
 union all
select relname, 'index', pg_get_indexdef(indexrelid) || case when indisvalid then '' else ', invalid' end
  from t join pg_index on indrelid = t.oid
 union all
select relname, 'constraint', conname || ' ' || pg_get_constraintdef(k.oid) from t join pg_constraint k on conrelid = t.oid
 union all
select relname, 'trigger', pg_get_triggerdef(g.oid) from t join pg_trigger g on tgrelid = t.oid and not tgisinternal
 union all
select relname, 'view', pg_get_viewdef(t.oid) from t where relkind in ('v', 'm')
 union all
select t.relname, 'sequence', s.relname
  from t join pg_depend on refobjid = t.oid and deptype in ('a', 'i') join pg_class s on s.oid = objid and s.relkind = 'S'"""

# The rows that the rights hang on, by names: ids that authentik draws at random say nothing.
RIGHTS = """
with role (uuid, name) as (
     select r.uuid, coalesce(regexp_replace(r.name, '-user-.*', '-user ') || u.username, r.name)
       from authentik_rbac_role r left join authentik_core_user u on r.name ~ ('-user-' || u.id || '$'))
select 'role', name from role
 union all
select 'parent', c.name || ' in ' || p.name
  from authentik_core_groupparentage
  join authentik_core_group c on c.group_uuid = child_id join authentik_core_group p on p.group_uuid = parent_id
 union all
select 'user has role', u.username || ': ' || r.name
  from authentik_core_user_roles
  join authentik_core_user u on u.id = user_id join role r on r.uuid = role_id
 union all
select 'group has role', g.name || ': ' || r.name
  from authentik_core_group_roles
  join authentik_core_group g on g.group_uuid = group_id join role r on r.uuid = role_id
 union all
select 'for all', format('%s: %s.%s by %s', r.name, c.app_label, p.codename, t.model)
  from guardian_rolemodelpermission m
  join role r on r.uuid = role_id join django_content_type t on t.id = m.content_type_id
  join auth_permission p on p.id = permission_id join django_content_type c on c.id = p.content_type_id
 union all
select 'for one', format('%s: %s.%s by %s of %s', r.name, c.app_label, p.codename, t.model, object_pk)
  from guardian_roleobjectpermission o
  join role r on r.uuid = role_id join django_content_type t on t.id = o.content_type_id
  join auth_permission p on p.id = permission_id join django_content_type c on c.id = p.content_type_id"""

ANCESTRY = "select descendant_id, ancestor_id from authentik_core_groupancestry"
CLOSURE = """
with recursive up (descendant, ancestor) as (
     select child_id, parent_id from authentik_core_groupparentage
      union
     select descendant, parent_id from up join authentik_core_groupparentage on child_id = ancestor)
select descendant, ancestor from up"""

# Who may see which policy, read off the tables as plainly as can be: (key, policy, status).
TREE = """
with recursive up (user_id, group_id, depth) as (
     select user_id, group_id, 0 from authentik_core_user_ak_groups
      union
     select user_id, parent_id, depth + 1
       from up join authentik_core_group on group_uuid = group_id where parent_id is not null and depth < 19),
     sees_all (user_id, permission_id) as (
     select user_id, null from up join authentik_core_group on group_uuid = group_id where is_superuser
      union all
     select user_id, permission_id from authentik_core_user_user_permissions
      union all
     select user_id, permission_id from authentik_core_user_groups join auth_group_permissions using (group_id)),
     sees_one (user_id, permission_id, object_pk) as (
     select user_id, permission_id, object_pk from guardian_userobjectpermission
      union all
     select user_id, permission_id, object_pk
       from authentik_core_user_groups join guardian_groupobjectpermission using (group_id))"""
ROLES = """
with recursive up (user_id, group_id) as (
     select user_id, group_id from {members}
      union
     select user_id, parent_id from up join authentik_core_groupparentage on child_id = group_id),
     held (user_id, role_id) as (
     select user_id, role_id from authentik_core_user_roles
      union
     select user_id, role_id from up join authentik_core_group_roles using (group_id)),
     sees_all (user_id, permission_id) as (
     select user_id, null from up join authentik_core_group on group_uuid = group_id where is_superuser
      union all
     select user_id, permission_id from held join guardian_rolemodelpermission using (role_id)),
     sees_one (user_id, permission_id, object_pk) as (
     select user_id, permission_id, object_pk from held join guardian_roleobjectpermission using (role_id))"""
STATUS = """
select t.key, asked::text,
       case when found.all and e.policy_ptr_id is not null or asked::text = any (found.ones) then 200
            when found.all or found.ones <> '{}' then 404
            else 403 end
  from authentik_core_token t
 cross join unnest(%s::uuid[]) asked
  left join authentik_policies_event_matcher_eventmatcherpolicy e on e.policy_ptr_id = asked
 cross join lateral (
       select exists (select from sees_all s where s.user_id = t.user_id and coalesce(s.permission_id = p.id, true)) as all,
              array (select s.object_pk from sees_one s where s.user_id = t.user_id and s.permission_id = p.id) as ones
         from auth_permission p where p.codename = 'view_eventmatcherpolicy') found
 where t.key like 'up-%%'"""

Step = collections.namedtuple("Step", "name sql")


def releases():
    """The releases that the steps lead to, the oldest first."""
    return sorted((path.name for path in FOLDER.glob("[0-9]*")), key=lambda name: [int(number) for number in name.split(".")])


def steps(*wanted):
    """The migrations of these releases (none named: of all) in authentik's order, each the SQL of one transaction."""
    return [Step("%s/%s" % (release, path.stem), path.read_text())
            for release in wanted or releases() for path in sorted((FOLDER / release).glob("*.sql"))]


def chain():
    """The steps, and after those of each release what an administrator changes then."""
    for release in releases():
        yield from steps(release)
        yield Step("%s/administrator" % release, (FOLDER / "administrator" / (release + ".sql")).read_text())


def apply(database, some_steps):
    with psycopg.connect(database.owner_dsn, autocommit=True) as connection:
        for step in some_steps:
            with connection.transaction():
                connection.execute(step.sql)


def catalogue(database):
    """(table, what, definition) of everything that the tables read here consist of."""
    with psycopg.connect(database.owner_dsn) as connection:
        return set(connection.execute(CATALOGUE, [TABLES]).fetchall())


def rows(database, query):
    with psycopg.connect(database.owner_dsn) as connection:
        return set(connection.execute(query).fetchall())


def statuses(database, policies):
    """What each caller of callers.sql must get for each of the policies now: {(key, policy): status}."""
    with psycopg.connect(database.owner_dsn) as connection:
        tree = connection.execute("select 1 from pg_attribute where attrelid = 'authentik_core_group'::regclass "
                                  "and attname = 'parent_id' and not attisdropped").fetchone()
        old_name = connection.execute("select to_regclass('authentik_core_user_ak_groups')").fetchone()[0]
        rules = TREE if tree else ROLES.format(members=old_name or "authentik_core_user_groups")
        asked = connection.execute(rules + STATUS, [list(policies)]).fetchall()
    return {(key, policy): status for key, policy, status in asked}


def commit(connection, step):
    """Takes a step; its Change says when its commit began and when it had returned."""
    connection.execute("begin")
    connection.execute(step.sql)
    begins = time.monotonic()
    connection.execute("commit")
    return load.Change(step.name, begins, time.monotonic())
