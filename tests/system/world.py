# SPDX-License-Identifier: MIT
"""A random directory in whatever tables a database has, those that its authentik ignores among them, and random changes."""
import datetime
import json
import uuid

from psycopg import sql

SCOPES = ("goauthentik.io/api", "openid goauthentik.io/api", "goauthentik.io/API", "GOAUTHENTIK.IO/API goauthentik.io/api",
          "xgoauthentik.io/apix", "openid", "")
INTENTS = ("api",) * 6 + ("app_password", "recovery", "API")
TYPES = ("internal",) * 5 + ("service_account", "external", "internal_service_account")
TEXTS = (None, "", "login", "192.0.2.10", "größer 🔔", "not \"an\" address\n")
# Tables of rights by the way that they are filled: any values of their columns may meet.
RIGHTS = ("authentik_core_user_ak_groups", "authentik_core_user_groups", "authentik_core_user_user_permissions",
          "auth_group_permissions", "guardian_userobjectpermission", "guardian_groupobjectpermission",
          "authentik_core_groupparentage", "authentik_core_user_roles", "authentik_core_group_roles",
          "guardian_rolemodelpermission", "guardian_roleobjectpermission")
RARE = ("authentik_core_user_user_permissions", "auth_group_permissions", "guardian_rolemodelpermission")


def identity(number):
    return "dddddddd-0000-4000-8000-%012x" % number


class World:
    def __init__(self, connection, generator):
        self.connection, self.random, self.lent = connection, generator, "random-key-0"
        self.now = datetime.datetime.now(datetime.timezone.utc)
        self.columns = self.read_columns()
        self.made = {table: [] for table in RIGHTS if table in self.columns}
        self.drop_foreign_keys()
        self.populate()

    def run(self, text, *values):
        return self.connection.execute(text, values)

    def read_columns(self):
        """Of each table in public: its columns' types, and which of them need a value."""
        found = {}
        for table, column, kind, needed in self.run("""
                select c.relname, a.attname, format_type(a.atttypid, null), a.attnotnull and not a.atthasdef and a.attidentity = ''
                  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
                 where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'"""):
            found.setdefault(table, {})[column] = (kind, needed)
        return found

    def drop_foreign_keys(self):
        """Tables that we do not read need no rows then."""
        drops = self.run("select 'alter table ' || conrelid::regclass || ' drop constraint ' || quote_ident(conname) "
                         "from pg_constraint where contype = 'f' and connamespace = 'public'::regnamespace").fetchall()
        self.run("; ".join(text for text, in drops))

    def filler(self, kind):
        fixed = {"boolean": False, "integer": 0, "timestamp with time zone": self.now, "jsonb": json.dumps({})}
        return fixed[kind] if kind in fixed else str(uuid.UUID(int=self.random.getrandbits(128)))

    def insert(self, table, **values):
        """Puts in a row with these values, as far as the table has such columns, and with something in all others that need it."""
        columns = self.columns[table]
        row = {name: self.filler(kind) for name, (kind, needed) in columns.items() if needed}
        row = {name: value for name, value in {**row, **values}.items() if name in columns}
        self.run(sql.SQL("insert into {} ({}) values ({}) on conflict do nothing").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join(sql.Placeholder() * len(row))), *row.values())

    def populate(self):
        self.users, self.groups = list(range(50000, 50016)), [identity(number) for number in range(40)]
        self.roles, self.auth_groups = [identity(number) for number in range(100, 107)], list(range(50000, 50006))
        self.policies, self.others = [identity(number) for number in range(200, 208)], [identity(300), identity(301)]
        self.permissions = [row[0] for row in self.run("select id from auth_permission order by codename <> "
                                                       "'view_eventmatcherpolicy', codename ~ 'view' desc, id limit 3").fetchall()]
        for user in self.users:
            self.insert("authentik_core_user", id=user, username="random-%d" % user, is_active=self.random.random() < 0.9,
                        type=self.random.choice(TYPES))
        for number, group in enumerate(self.groups):
            self.insert("authentik_core_group", group_uuid=group, name="random-%d" % number, is_superuser=self.random.random() < 0.05)
        for policy in self.policies + self.others:
            self.make_policy(policy)
        self.make_chain()
        for _ in range(60):
            self.add_key()
            self.toggle_right()

    def make_chain(self):
        """A line of 24 groups: what is 19 up counts everywhere, what is farther only where groups have many parents."""
        for child, parent in zip(self.groups[:24], self.groups[1:24]):
            self.set_parent(child, parent)

    def set_parent(self, child, parent):
        if "parent_id" in self.columns["authentik_core_group"]:
            self.run("update authentik_core_group set parent_id = %s where group_uuid = %s", parent, child)
        elif parent:
            self.insert("authentik_core_groupparentage", child_id=child, parent_id=parent)
        else:
            self.run("delete from authentik_core_groupparentage where child_id = %s", child)

    def make_policy(self, policy):
        self.insert("authentik_policies_policy", policy_uuid=policy, name="random %s" % policy, execution_logging=self.random.random() < 0.5)
        if policy not in self.others:
            texts = {name: self.random.choice(TEXTS) for name in ("action", "client_ip", "app", "model", "query")}
            self.insert("authentik_policies_event_matcher_eventmatcherpolicy", policy_ptr_id=policy, **texts)

    def object_pk(self):
        policy = self.random.choice(self.policies)
        odd = (policy.upper(), policy.replace("-", ""), "{%s}" % policy, identity(999), self.others[0], "x", "")
        return policy if self.random.random() < 0.7 else self.random.choice(odd)

    def value(self, table, column):
        kind = self.columns[table][column][0]
        choices = {"user_id": self.users, "role_id": self.roles, "permission_id": self.permissions[:1] * 4 + self.permissions,
                   "group_id": self.groups if kind == "uuid" else self.auth_groups, "child_id": self.groups,
                   "parent_id": self.groups, "content_type_id": (0, 1)}
        return self.object_pk() if column == "object_pk" else self.random.choice(choices[column])

    # The changes
    def toggle_right(self):
        """A new row in a table of rights, or one that this made before goes."""
        table = self.random.choice([name for name in self.made if name not in RARE or self.random.random() < 0.3])
        if len(self.made[table]) > self.random.randrange(24):
            row = self.made[table].pop(self.random.randrange(len(self.made[table])))
            self.run(sql.SQL("delete from {} where {}").format(sql.Identifier(table), sql.SQL(" and ").join(
                sql.SQL("{} = %s").format(sql.Identifier(name)) for name in row)), *row.values())
        else:
            row = {name: self.value(table, name) for name in self.columns[table] if name not in ("id", "uuid")}
            self.insert(table, **row)
            self.made[table].append(row)

    def move_group(self):
        self.set_parent(self.random.choice(self.groups), self.random.choice([None] + self.groups))

    def flip_superuser(self):
        self.run("update authentik_core_group set is_superuser = (not is_superuser and %s) where group_uuid = %s",
                 self.random.random() < 0.3, self.random.choice(self.groups))

    def change_user(self):
        self.run("update authentik_core_user set is_active = %s, type = %s where id = %s", self.random.random() < 0.8,
                 self.random.choice(TYPES), self.random.choice(self.users))

    def add_key(self):
        """Few keys, so that some are there twice, as both kinds of token, in several states."""
        expires = self.random.choice((None, self.now - datetime.timedelta(hours=1), self.now + datetime.timedelta(days=1)))
        common = {"user_id": self.random.choice(self.users), "expires": expires, "expiring": self.random.random() < 0.5}
        key = "random-key-%d" % self.random.randrange(40)
        if self.random.random() < 0.7:
            self.insert("authentik_core_token", key=key, intent=self.random.choice(INTENTS), **common)
        else:
            self.insert("authentik_providers_oauth2_accesstoken", token=key, _scope=self.random.choice(SCOPES), **common)

    def lend_key(self):
        """One that expires while it is asked for, without a commit."""
        expires = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(milliseconds=self.random.randrange(10, 60))
        self.lent = "random-key-%d" % self.random.randrange(40)
        self.insert("authentik_core_token", key=self.lent, intent="api", user_id=self.random.choice(self.users), expires=expires, expiring=True)

    def change_key(self):
        table, column = self.random.choice((("authentik_core_token", "key"), ("authentik_providers_oauth2_accesstoken", "token")))
        change = self.random.choice(("delete from {} where {} = %s", "update {} set expiring = not expiring where {} = %s"))
        self.run(sql.SQL(change).format(sql.Identifier(table), sql.Identifier(column)), "random-key-%d" % self.random.randrange(40))
        self.add_key()

    def change_policy(self):
        policy = self.random.choice(self.policies)
        if self.random.random() < 0.5:
            self.run("delete from authentik_policies_event_matcher_eventmatcherpolicy where policy_ptr_id = %s", policy)
            self.run("delete from authentik_policies_policy where policy_uuid = %s", policy)
        self.make_policy(policy)

    def bind(self):
        policy = self.random.choice(self.policies)
        if self.random.random() < 0.5:
            self.insert("authentik_policies_policybinding", policy_id=policy)
        else:
            self.insert("authentik_stages_prompt_promptstage_validation_policies", policy_id=policy)

    def change(self):
        self.random.choice((self.toggle_right,) * 6 + (self.move_group, self.flip_superuser, self.change_user, self.change_key,
                                                       self.change_key, self.lend_key, self.lend_key, self.lend_key,
                                                       self.change_policy, self.bind))()

    def question(self):
        key = self.lent if self.random.random() < 0.1 else "random-key-%d" % self.random.randrange(42)
        return key, self.random.choice(self.policies + self.others[:1] + [identity(999)])
