# SPDX-License-Identifier: MIT
"""The sample data as the tests know it: its policies and keys, who is answered what, and the bytes of a request."""
import fastcgi

POLICIES = [str(digit) * 8 + "-" + str(digit) * 4 + "-4" + str(digit) * 3 + "-8" + str(digit) * 3 + "-" + str(digit) * 12
            for digit in range(1, 9)]
POLICY = POLICIES[0]
MISSING = "99999999-9999-4999-8999-999999999999"  # a UUID that no policy has
URI = fastcgi.URI.format(POLICY)
ADMIN = "sample-key-admin"
KEY = [("Authorization", "Bearer " + ADMIN)]

# What each caller gets for policies 1, 3, 4 and one that does not exist.
ASKED = (POLICIES[0], POLICIES[2], POLICIES[3], MISSING)
MIXED = {"sample-key-admin": (200, 200, 200, 404), "sample-key-operator": (200, 200, 200, 404),
         "sample-key-auditor": (200, 200, 200, 404), "sample-key-dashboard": (200, 200, 200, 404),
         "sample-token-admin": (200, 200, 200, 404), "sample-key-helpdesk": (404, 200, 404, 404),
         "sample-key-contractor": (404, 404, 200, 404), "sample-key-employee": (403,) * 4,
         "sample-key-former-admin": (403,) * 4, "sample-key-outpost": (404,) * 4, "sample-key-expired": (403,) * 4,
         'a","b': (403,) * 4, "}": (403,) * 4, "{": (403,) * 4, "\\": (403,) * 4, "NULL": (403,) * 4, '"': (403,) * 4,
         "sample-key-admin,sample-key-admin": (403,) * 4, "x" * 8192: (403,) * 4, "'": (403,) * 4}


def parameters(uri=URI, key=ADMIN):
    return fastcgi.parameters(uri, headers=[("Authorization", "Bearer " + key)])


def request(uri=URI, key=ADMIN, **options):
    """The bytes of a whole request; the options are fastcgi.request's."""
    return fastcgi.request(parameters(uri, key), **options)


def batch(generator, size):
    """Questions at random: the key, which of ASKED, and the status that is right."""
    return [(key, n, MIXED[key][n]) for key, n in
            ((generator.choice(list(MIXED)), generator.randrange(4)) for _ in range(size))]


def intercept(database, statement):
    """Puts a view in the policies' place that runs a statement of PL/pgSQL where POLICY is read, and only there."""
    database.run("""create function intercept(id uuid, name text) returns text language plpgsql stable as $$ begin
                    if id = '%s' then %s; end if; return name; end $$;
                    alter table authentik_policies_policy rename to base;
                    create view authentik_policies_policy as select policy_uuid, intercept(policy_uuid, name) as name,
                    execution_logging from base; grant select on authentik_policies_policy to event_matcher""" % (POLICY, statement))


def fail(database, sqlstate):
    intercept(database, "raise 'a secret of the database' using errcode = '%s'" % sqlstate)
