# SPDX-License-Identifier: MIT
"""What authentik answers, worked out from its tables' rows in plain Python: the tests' own reading of the rules."""
import collections
import datetime

SCOPE = "goauthentik.io/api"
RESOURCE = ("authentik_policies_event_matcher", "eventmatcherpolicy", "view_eventmatcherpolicy")
DEEPEST = 19  # of an ancestor that counts, as long as a group has one parent

# roles: rights are held by roles, and groups have many parents. members: the table of a user's groups.
# not_found: what is said of a policy that is not there for the caller.
Rules = collections.namedtuple("Rules", "roles members not_found")
RULES = {
    "2024.8": Rules(False, "authentik_core_user_ak_groups", "Not found."),
    "2025.10": Rules(False, "authentik_core_user_ak_groups", "No EventMatcherPolicy matches the given query."),
    "2025.12": Rules(True, "authentik_core_user_ak_groups", "No EventMatcherPolicy matches the given query."),
    "2026.8": Rules(True, "authentik_core_user_groups", "No EventMatcherPolicy matches the given query."),
}
BAD_KEY = (403, {"detail": "Token invalid/expired"})
NO_RIGHT = (403, {"detail": "You do not have permission to perform this action."})

COMMON = ("authentik_core_token", "authentik_providers_oauth2_accesstoken", "authentik_core_user", "authentik_core_group",
          "authentik_policies_policy", "authentik_policies_event_matcher_eventmatcherpolicy", "authentik_policies_policybinding",
          "authentik_stages_prompt_promptstage_validation_policies")
OF_TREE = ("authentik_core_user_groups", "authentik_core_user_user_permissions", "auth_group_permissions",
           "guardian_userobjectpermission", "guardian_groupobjectpermission")
OF_ROLES = ("authentik_core_groupparentage", "authentik_core_user_roles", "authentik_core_group_roles",
            "guardian_rolemodelpermission", "guardian_roleobjectpermission")


class Oracle:
    """Knows what its last read() saw, so its answers are right until the next commit. A UUID is its canonical text."""

    def __init__(self, connection, rules):
        self.connection, self.rules = connection, rules
        self.view = self.find_permission()
        self.read()

    def rows(self, *tables):
        """All rows of these tables, each a dict as JSON has it."""
        parts = ["'%s', (select coalesce(json_agg(t), '[]') from public.%s t)" % (name, name) for name in tables]
        return self.connection.execute("select json_build_object(%s)" % ", ".join(parts)).fetchone()[0]

    def find_permission(self):
        found = self.rows("django_content_type", "auth_permission")
        types = {row["id"]: (row["app_label"], row["model"]) for row in found["django_content_type"]}
        return next((row["id"] for row in found["auth_permission"]
                     if (*types[row["content_type_id"]], row["codename"]) == RESOURCE), None)

    def read(self):
        self.tables = self.rows(*{*COMMON, self.rules.members, *(OF_ROLES if self.rules.roles else OF_TREE)})
        self.users = {row["id"]: row for row in self.tables["authentik_core_user"]}
        self.groups = {row["group_uuid"]: row for row in self.tables["authentik_core_group"]}
        self.policies = {row["policy_uuid"]: row for row in self.tables["authentik_policies_policy"]}
        self.matchers = {row["policy_ptr_id"]: row for row in self.tables["authentik_policies_event_matcher_eventmatcherpolicy"]}
        self.look_at_the_clock()

    def look_at_the_clock(self):
        """The time now, which is that of the next answers."""
        self.now = datetime.datetime.now(datetime.timezone.utc)
        return self.now

    def moments(self, begins, ends):
        """One of each kind between the two: what expires does so after its time, and what is asked then is answered by its own."""
        times = {datetime.datetime.fromisoformat(token["expires"]) for table in COMMON[:2] for token in self.tables[table] if token["expires"]}
        return [begins, *sorted(time + datetime.timedelta(microseconds=1) for time in times if begins <= time < ends)]

    def column(self, table, wanted, **known):
        return {row[wanted] for row in self.tables[table] if all(row[name] in values for name, values in known.items())}

    # Who asks
    def is_good(self, token):
        expires = token["expires"] and datetime.datetime.fromisoformat(token["expires"])
        return not (token["expiring"] and expires and expires < self.now)

    def user_of(self, key):
        tokens = [t for t in self.tables["authentik_core_token"] if t["key"] == key and t["intent"] == "api" and self.is_good(t)]
        if tokens:
            return min(tokens, key=lambda token: token["token_uuid"])["user_id"]
        tokens = [t for t in self.tables["authentik_providers_oauth2_accesstoken"]
                  if t["token"] == key and SCOPE in t["_scope"].lower() and self.is_good(t)]
        first = min(tokens, key=lambda token: token["id"]) if tokens else None
        return first["user_id"] if first and SCOPE in first["_scope"].split() else None

    # What they may see
    def line(self, group):
        """The group and its ancestors, one parent each."""
        for _ in range(DEEPEST + 1):
            if group not in self.groups:
                return
            yield group
            group = self.groups[group]["parent_id"]

    def closure(self, groups):
        """The groups and their ancestors, however far, many parents each."""
        found, new = set(groups), set(groups)
        while new:
            new = self.column("authentik_core_groupparentage", "parent_id", child_id=new) - found
            found |= new
        return found

    def reached(self, user):
        own = self.column(self.rules.members, "group_id", user_id={user})
        return self.closure(own) if self.rules.roles else {group for first in own for group in self.line(first)}

    def roles(self, user):
        return (self.column("authentik_core_user_roles", "role_id", user_id={user}) |
                self.column("authentik_core_group_roles", "role_id", group_id=self.reached(user)))

    def sees_all(self, user):
        if any(self.groups[group]["is_superuser"] for group in self.reached(user) if group in self.groups):
            return True
        if self.rules.roles:
            return self.view in self.column("guardian_rolemodelpermission", "permission_id", role_id=self.roles(user))
        return (self.view in self.column("authentik_core_user_user_permissions", "permission_id", user_id={user}) or
                self.view in self.column("auth_group_permissions", "permission_id", group_id=self.mirrored(user)))

    def mirrored(self, user):
        return self.column("authentik_core_user_groups", "group_id", user_id={user})

    def granted(self, user):
        """The policies that exist and that a grant names, in the one spelling that counts."""
        view = {"permission_id": {self.view}}
        if self.rules.roles:
            named = self.column("guardian_roleobjectpermission", "object_pk", role_id=self.roles(user), **view)
        else:
            named = (self.column("guardian_userobjectpermission", "object_pk", user_id={user}, **view) |
                     self.column("guardian_groupobjectpermission", "object_pk", group_id=self.mirrored(user), **view))
        return {policy for policy in self.matchers if policy in named}

    # The answer
    def body(self, policy):
        row, own = self.policies[policy], dict(self.matchers[policy])
        bound = [1 for table in ("authentik_policies_policybinding", "authentik_stages_prompt_promptstage_validation_policies")
                 for binding in self.tables[table] if binding["policy_id"] == policy]
        last = {"query": own["query"]} if "query" in own else {}
        return {"pk": policy, "name": row["name"], "execution_logging": row["execution_logging"],
                "component": "ak-policy-event-matcher-form", "verbose_name": "Event Matcher Policy",
                "verbose_name_plural": "Event Matcher Policies",
                "meta_model_name": "authentik_policies_event_matcher.eventmatcherpolicy", "bound_to": len(bound),
                **{name: own[name] for name in ("action", "client_ip", "app", "model")}, **last}

    def answer(self, key, policy, at=None):
        """The status and the body (a dict in the order of its keys) for a bearer key that asks for a policy's UUID; at some time, or
        when the clock was looked at last."""
        self.now = at or self.now
        user = self.users.get(self.user_of(key))
        if not user or not user["is_active"]:
            return BAD_KEY
        every = self.sees_all(user["id"])
        granted = set() if every else self.granted(user["id"])
        if policy in (self.matchers if every else granted):
            return 200, self.body(policy)
        if every or granted or user["type"] == "internal_service_account":
            return 404, {"detail": self.rules.not_found}
        return NO_RIGHT
