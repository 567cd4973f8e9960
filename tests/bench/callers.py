# SPDX-License-Identifier: MIT
"""Who asks for what: the callers of data.sql, and the lists of (policy, key) that the benchmark asks."""
import hashlib
import random

KINDS = {"superuser": 1, "role": 2, "grants": 3, "deep": 4, "token": 5}
EACH = 4000  # callers of a kind
LARGE = 10000000  # the number of the one policy whose action is :large bytes long
# A real directory's callers and policies: mostly administrators' keys, one by a role, one by grants.
DIRECTORY_SUPERUSERS, DIRECTORY_POLICIES = 14, 200
DIRECTORY = "16 callers (14 superusers, one by a role, one by object grants), 200 policies"


def key(kind, n):
    """The key of the n-th of the callers of a kind."""
    return hashlib.md5(b"%d" % (KINDS[kind] * 10000 + n)).hexdigest() + "-bench"


def uuid(n):
    return "00000000-0000-4000-8000-%012d" % n


def granted(n, generator):
    """One of the five policies that the n-th caller by grants sees."""
    return n + 1000 * generator.randrange(5)


def pairs(kind="superuser", keys=EACH, policies=10000, count=4000, seed=1):
    """(policy, key) in random order, each of which answers 200: a caller by object grants asks for one of its own five."""
    generator = random.Random(seed)
    callers = generator.sample(range(1, EACH + 1), keys)
    chosen = [callers[n % keys] for n in range(count)]
    generator.shuffle(chosen)
    return [(granted(n, generator) if kind == "grants" else generator.randrange(1, policies + 1), key(kind, n)) for n in chosen]


def directory(count=4000, seed=1):
    """The same of a real directory, all callers alike often."""
    generator = random.Random(seed)
    callers = [("superuser", n) for n in range(1, DIRECTORY_SUPERUSERS + 1)] + [("role", 1), ("grants", 1)]
    chosen = [callers[n % len(callers)] for n in range(count)]
    generator.shuffle(chosen)
    return [(granted(n, generator) if kind == "grants" else generator.randrange(1, DIRECTORY_POLICIES + 1), key(kind, n))
            for kind, n in chosen]


def unknown(count=4000):
    """Keys that nobody has."""
    return [(n, "unknown-%d-%s" % (n, key("superuser", n))) for n in range(1, count + 1)]
