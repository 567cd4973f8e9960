# SPDX-License-Identifier: MIT
"""authentik's own client for Python, of the oldest release and of the newest, reads every policy of every release."""
import concurrent.futures
import json
import os
import subprocess
import sys

import pytest

import conftest
import fastcgi
import rawhttp
import servers
from test_openapi import POLICY, SCHEMAS

pytestmark = [pytest.mark.once, pytest.mark.recorded]
CLIENTS = ["2024.8.0.post1725367375", "2026.8.5"]
RECORDED = {"2024.8": "database.sql", **{name: name + "/database.sql" for name in ("2025.10", "2025.12", "2026.8")}}
KEY = "key-super"
PROPERTIES = {CLIENTS[0]: list(POLICY)[:-1], CLIENTS[1]: list(POLICY)}  # query is the last
ENUMERATIONS = {"action": "EventActions", "app": "AppEnum", "model": "ModelEnum"}
# How many policies hold what is no choice of any release: authentik stores it, and its client refuses it whoever answers.
REFUSED = {"2024.8": 2, "2025.10": 31, "2025.12": 31, "2026.8": 39}


@pytest.fixture(scope="module")
def served(postgres, start_module_workers, start_module_nginx):
    """Every recorded database behind an nginx of its own, and the policies in it."""
    found = {}
    for number, (release, path) in enumerate(RECORDED.items()):
        database = servers.Database(postgres, "client_%d_%d" % (os.getpid(), number))
        postgres.run("create database " + database.name)
        postgres.load(conftest.shared(path), database.name, "-o", "/dev/null")
        postgres.load(servers.ROOT / "sql" / "role.sql", database.name)
        nginx = start_module_nginx(start_module_workers(database).socket, port=servers.free_port())
        found[release] = nginx, database.run("select policy_ptr_id::text from authentik_policies_event_matcher_eventmatcherpolicy")
    yield found
    for number in range(len(RECORDED)):
        postgres.run("drop database client_%d_%d with (force)" % (os.getpid(), number))


def read_with(version, path, asked):
    """What the client says: one process for all databases, as it takes long to start."""
    conftest.install("authentik-client==" + version, path, "--no-warn-conflicts")
    script = servers.ROOT / "tests" / "system" / "client.py"
    result = subprocess.run([sys.executable, script], input=asked, env={**os.environ, "PYTHONPATH": str(path)},
                            capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def outputs(served, directory):
    """What each client has said; both are asked at the same time."""
    asked = json.dumps({release: ("http://127.0.0.1:%d/api/v3" % nginx.port, KEY, [uuid for uuid, in rows])
                        for release, (nginx, rows) in served.items()})
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return dict(zip(CLIENTS, pool.map(lambda version: read_with(version, directory / version, asked), CLIENTS)))


def answer(nginx, uuid):
    return json.loads(rawhttp.ask(nginx.socket, "GET", fastcgi.URI.format(uuid), [("Authorization", "Bearer " + KEY)]).content)


def foreign(policy, choices):
    """The properties whose value is none of the client's choices: it refuses the policy, whoever answers."""
    return sorted(name for name in choices if policy[name] is not None and policy[name] not in choices[name])


@pytest.mark.parametrize("release", RECORDED)
@pytest.mark.parametrize("version", CLIENTS)
def test_the_client_reads_every_policy_but_those_with_a_choice_that_it_does_not_know(outputs, served, version, release):
    output, (nginx, rows), refused = outputs[version], served[release], 0
    assert len(output["read"][release]) == len(rows) > 100
    for uuid, read in output["read"][release].items():
        policy = answer(nginx, uuid)
        assert ("query" in policy) == (release == "2026.8")
        unknown = foreign(policy, output["choices"])
        refused += bool(unknown)
        assert read == (unknown or {name: policy.get(name) for name in PROPERTIES[version]}), policy
    assert refused == REFUSED[release]


@pytest.mark.parametrize("version", CLIENTS)
def test_openapi_has_every_choice_of_the_client(outputs, version):
    for name, choices in outputs[version]["choices"].items():
        assert choices and set(choices) <= set(SCHEMAS[ENUMERATIONS[name]]["enum"]), name
