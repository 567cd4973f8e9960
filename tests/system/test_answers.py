# SPDX-License-Identifier: MIT
"""Answers are never stale and never another's: what changes shows at once, and a batch mixes nothing up."""
import concurrent.futures
import json
import random

import pytest

import fastcgi
import metrics
import sample
from fastcgi import Connection
from sample import ADMIN, ASKED, MIXED, POLICIES, URI, batch


def status(workers, key=ADMIN, uri=URI):
    return fastcgi.ask(workers.socket, uri, key).status


def test_a_policy_that_changes_shows_in_the_very_next_answer(start_workers, own):
    workers = start_workers(own)
    with Connection(workers.socket) as connection:
        for number in range(200):
            own.run("update authentik_policies_policy set name = 'n%d' where policy_uuid = '%s'" % (number, POLICIES[0]))
            assert json.loads(connection.ask(URI, ADMIN).body)["name"] == "n%d" % number


WITHDRAWN = {"alone": [("sample-key-auditor", "delete from authentik_core_group_roles"),
                       ("sample-key-dashboard", "delete from guardian_rolemodelpermission")],
             "tree": [("sample-key-auditor", "delete from authentik_core_user_user_permissions"),
                      ("sample-key-dashboard", "delete from auth_group_permissions")]}


def test_a_revoked_key_and_a_withdrawn_right_show_in_the_very_next_answer(start_workers, either):
    workers = start_workers(either)
    for key, change in [("sample-token-admin", "delete from authentik_providers_oauth2_accesstoken"), *WITHDRAWN[either.layout],
                        ("sample-key-operator", "update authentik_core_group set is_superuser = false")]:
        assert status(workers, key) == 200
        either.run(change)
        assert status(workers, key) == 403


@pytest.mark.parametrize("key, parent", [("sample-key-auditor", 6), ("sample-key-operator", 2)])
def test_a_group_that_loses_a_parent_loses_what_came_from_it_and_nothing_else(start_workers, own, key, parent):
    workers = start_workers(own)
    assert status(workers, key) == 200
    own.run("delete from authentik_core_groupparentage where parent_id = 'cccccccc-0000-4000-8000-000000000005'")
    assert status(workers, key) == 200
    own.run("delete from authentik_core_groupparentage where parent_id = 'cccccccc-0000-4000-8000-%012d'" % parent)
    assert status(workers, key) == 403


def test_an_expired_deactivated_or_deleted_key_is_refused_at_once(start_workers, own):
    workers = start_workers(own)
    for change in ("update authentik_core_token set expiring = true, expires = now() where key = 'sample-key-admin'",
                   "update authentik_core_token set expiring = false; update authentik_core_user set is_active = false",
                   "update authentik_core_user set is_active = true; delete from authentik_core_token"):
        own.run(change)
        assert status(workers) == 403
    own.run("insert into authentik_core_token (user_id, identifier, key) values (1, 'again', 'sample-key-admin')")
    assert status(workers) == 200


def test_of_two_tokens_with_one_key_the_lowest_uuid_counts(start_workers, own):
    own.run("insert into authentik_core_token (token_uuid, user_id, identifier, key) values "
            "('00000000-0000-4000-8000-000000000001', 7, 'twin', 'sample-key-admin')")
    workers = start_workers(own)
    assert status(workers) == 403
    own.run("update authentik_core_token set token_uuid = 'ffffffff-ffff-4fff-bfff-ffffffffffff' where identifier = 'twin'")
    assert status(workers) == 200


def test_a_loop_of_groups_ends_and_an_ancestor_counts_down_to_depth_19(start_workers, own_tree):
    own_tree.run("update authentik_core_group set parent_id = 'cccccccc-0000-4000-8000-000000000004', is_superuser = false")
    workers = start_workers(own_tree)
    assert status(workers, "sample-key-operator") == 403
    own_tree.run("""insert into authentik_core_group (group_uuid, name, is_superuser)
               select ('dddddddd-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'g' || n, n = 19
                 from generate_series(0, 20) n;
               update authentik_core_group set parent_id = ('dddddddd-0000-4000-8000-' ||
                      to_char(substr(name, 2)::int + 1, 'FM000000000000'))::uuid where name ~ '^g[0-9]+$' and name <> 'g20';
               update authentik_core_user_ak_groups set group_id = 'dddddddd-0000-4000-8000-000000000000' where user_id = 2""")
    assert status(workers, "sample-key-operator") == 200
    own_tree.run("update authentik_core_group set is_superuser = (name = 'g20')")
    assert status(workers, "sample-key-operator") == 403


CHAIN = """insert into authentik_core_group (group_uuid, name, is_superuser)
           select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid, 'g' || n, n = 25 from generate_series(0, 25) n;
           insert into authentik_core_groupparentage (child_id, parent_id)
           select ('eeeeeeee-0000-4000-8000-' || to_char(n, 'FM000000000000'))::uuid,
                  ('eeeeeeee-0000-4000-8000-' || to_char((n + 1) %% %d, 'FM000000000000'))::uuid from generate_series(0, 24) n;
           update authentik_core_user_groups set group_id = 'eeeeeeee-0000-4000-8000-000000000000' where user_id = 2"""


def test_an_ancestor_counts_at_any_depth(start_workers, own):
    own.run(CHAIN % 26)
    workers = start_workers(own)
    assert status(workers, "sample-key-operator") == 200
    own.run("update authentik_core_group set is_superuser = (name = 'g24')")
    assert status(workers, "sample-key-operator") == 200
    own.run("update authentik_core_group set is_superuser = false")
    assert status(workers, "sample-key-operator") == 403


def test_groups_in_a_loop_are_each_others_ancestors(start_workers, own):
    own.run(CHAIN % 25)
    workers = start_workers(own)
    assert status(workers, "sample-key-operator") == 403
    own.run("update authentik_core_group set is_superuser = (name = 'g13')")
    assert status(workers, "sample-key-operator") == 200


GRANT = {"alone": """with role as (insert into authentik_rbac_role (name) values (gen_random_uuid()) returning uuid),
                          held as (insert into authentik_core_user_roles (user_id, role_id) select %d, uuid from role)
                     insert into guardian_roleobjectpermission (object_pk, content_type_id, permission_id, role_id)
                     select pk, content_type_id, id, uuid from role, auth_permission, unnest(array[%s]) pk""",
         "tree": """insert into guardian_userobjectpermission (user_id, object_pk, content_type_id, permission_id)
                    select %d, pk, content_type_id, id from auth_permission, unnest(array[%s]) pk"""}


def grant(database, user, *objects):
    """Lets the user see what each of these texts names, if it names anything."""
    database.run(GRANT[database.layout] % (user, ", ".join("'%s'" % text for text in objects)))


def test_malformed_grants_grant_nothing_and_harm_nobody(start_workers, either):
    grant(either, 7, "", "x", POLICIES[0].replace("-", ""), "{%s}" % POLICIES[0],
          "99999999-9999-4999-8999-999999999999", "ffffffff-ffff-4fff-8fff-ffffffffffff")
    workers = start_workers(either)
    assert status(workers, "sample-key-employee") == 403
    grant(either, 7, POLICIES[1])
    assert status(workers, "sample-key-employee") == 404
    assert status(workers, "sample-key-employee", fastcgi.URI.format(POLICIES[1])) == 200


def give(own, key, owner):
    own.run("update authentik_core_token set user_id = (select user_id from authentik_core_token where key = '%s') "
            "where key = '%s'" % (owner, key))


def test_a_key_that_changes_hands_is_answered_with_its_new_owners_rights_at_once(start_workers, either):
    either.run("insert into authentik_core_token (user_id, identifier, key) select 7, 'passed-on', 'passed-on'")
    workers = start_workers(either)
    owners = ["sample-key-" + name for name in ("helpdesk", "contractor", "admin", "employee", "dashboard", "helpdesk",
                                                "auditor", "contractor", "outpost", "operator", "former-admin")]
    for owner in owners:
        give(either, "passed-on", owner)
        for _ in range(2):
            got = tuple(status(workers, "passed-on", fastcgi.URI.format(uuid)) for uuid in ASKED)
            assert got == MIXED[owner], owner


MEMBERS = {"alone": "authentik_core_user_groups", "tree": "authentik_core_user_ak_groups"}


def test_a_superuser_who_loses_one_group_is_one_by_another_until_that_goes_too(start_workers, either):
    members = MEMBERS[either.layout]
    either.run("insert into authentik_core_group (group_uuid, name, is_superuser) values "
            "('eeeeeeee-0000-4000-8000-000000000001', 'second', true), ('eeeeeeee-0000-4000-8000-000000000002', 'plain', false); "
            "insert into %s (user_id, group_id) select u, ('eeeeeeee-0000-4000-8000-00000000000' || g)::uuid "
            "from generate_series(1, 2) u, generate_series(1, 2) g" % members)
    workers = start_workers(either)
    keys = ["sample-key-admin", "sample-key-operator", "sample-token-admin"]
    first = "'cccccccc-0000-4000-8000-000000000001', 'cccccccc-0000-4000-8000-000000000004'"
    for change, after in (("select 1", 200), ("delete from %s where group_id in (%s)" % (members, first), 200),
                          ("update authentik_core_group set is_superuser = false where name = 'second'", 403),
                          ("update authentik_core_group set is_superuser = true where name = 'plain'", 200),
                          ("delete from " + members, 403)):
        either.run(change)
        for _ in range(2):
            assert [status(workers, key) for key in keys] == [after] * 3, change


def test_an_access_token_that_becomes_an_api_token_is_answered_as_that(start_workers, own):
    workers = start_workers(own)
    for _ in range(2):
        assert status(workers, "sample-token-admin") == 200
    own.run("insert into authentik_core_token (user_id, identifier, key) values (7, 'same', 'sample-token-admin')")
    assert [status(workers, "sample-token-admin") for _ in range(2)] == [403, 403]
    give(own, "sample-token-admin", "sample-key-admin")
    assert [status(workers, "sample-token-admin") for _ in range(2)] == [200, 200]
    own.run("delete from authentik_core_token where identifier = 'same'; "
            "update authentik_providers_oauth2_accesstoken set user_id = 7 where token = 'sample-token-admin'")
    assert [status(workers, "sample-token-admin") for _ in range(2)] == [403, 403]


def test_a_batch_of_64_mixed_questions_gives_each_its_own_answer(start_workers, either):
    grant(either, 5, "not-a-uuid")
    workers = start_workers(either)
    generator = random.Random(1)
    connections = [Connection(workers.socket) for _ in range(64)]
    for _ in range(20):
        asked = batch(generator, 64)
        for connection, (key, n, _) in zip(connections, asked):
            connection.send(sample.request(fastcgi.URI.format(ASKED[n]), key))
        for connection, (key, n, expected) in zip(connections, asked):
            reply = connection.reply()
            assert reply.status == expected, (key, n)
            assert expected != 200 or json.loads(reply.body)["pk"] == ASKED[n]
    for connection in connections:
        connection.socket.close()
    metrics.known_answers(workers, 64)


def hammer(path, seed, rounds):
    """One client of many: asks on a kept connection and returns how many answers were wrong."""
    generator, wrong = random.Random(seed), 0
    with Connection(path) as connection:
        for key, n, expected in batch(generator, rounds):
            reply = connection.ask(fastcgi.URI.format(ASKED[n]), key)
            wrong += reply.status != expected or (expected == 200 and json.loads(reply.body)["pk"] != ASKED[n])
    return wrong


def test_the_answers_of_two_workers_stay_right_under_64_clients_with_mixed_keys(start_workers, alone):
    workers = start_workers(alone, workers=2)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        assert sum(pool.map(lambda seed: hammer(workers.socket, seed, 60), range(64))) == 0
    metrics.known_answers(workers, 64)


def test_an_oauth_token_of_any_length_is_found_with_and_without_the_index(start_workers, own):
    token = "ey" + "x" * 6000
    own.run("insert into authentik_providers_oauth2_accesstoken (user_id, token, _scope) "
            "values (2, '%s', 'goauthentik.io/api'), (5, 'dup', 'GOAUTHENTIK.IO/API'), (1, 'dup', 'goauthentik.io/api')" % token)
    workers = start_workers(own)
    assert [status(workers, key) for key in (token, "dup")] == [200, 403]
    own.run("drop index authentik_p_token_e00883_hash")
    assert [status(workers, key) for key in (token, "dup", "nope")] == [200, 403, 403]
