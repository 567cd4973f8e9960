# SPDX-License-Identifier: MIT
"""A cluster under load: a balancer, two hosts of ours, a primary and its standby, each with an address of its own."""
import json
import os
import shlex
import shutil
import signal
import subprocess
import time

import pytest

import cluster
import rawhttp
import sample
import servers
from cluster import BALANCER, ONE, PRIMARY, SECOND, STANDBY, TWO
from conftest import factory
from openloop import OpenLoop


@pytest.fixture(scope="module")
def network():
    try:
        network = cluster.Network()
    except OSError as reason:
        pytest.skip(str(reason))
    yield network
    network.close()


@pytest.fixture(scope="module")
def databases(network):
    """The primary and its standby."""
    made = [cluster.Postgres(servers.make_directory(), network, PRIMARY)]
    for name in ("schema.sql", "sample.sql", "role.sql"):
        made[0].load(servers.ROOT / "sql" / name, "postgres")
    made.append(cluster.Postgres(servers.make_directory(), network, STANDBY, made[0]))
    yield made
    for server in reversed(made):
        server.stop(signal.SIGQUIT)
        shutil.rmtree(server.directory)


@pytest.fixture
def start_pool(network, databases, plain):
    yield from factory(lambda directory, address: cluster.Pool(plain, directory, network, address, databases))


@pytest.fixture
def hosts(start_pool):
    return {address: start_pool(address) for address in (ONE, TWO)}


@pytest.fixture(params=[cluster.Nginx, cluster.HAProxy], ids=["nginx", "haproxy"])
def balancer(request, network, hosts):
    yield from map(lambda start: start(network), factory(request.param))


@pytest.fixture
def start_balancer():
    yield from factory(lambda directory, kind, *arguments: kind(directory, *arguments))


class Load(OpenLoop):
    def __init__(self, balancer):
        super().__init__(balancer.socket, cluster.bodies(balancer.socket))
        self.wait_for(100)

    def none_failed(self, what, figure):
        self.wait_for(200)
        self.stop()
        figure("failed of %d, %s" % (len(self.outcomes), what), len(self.failed()), 0)


def test_hosts_that_are_upgraded_one_by_one_cost_no_request(balancer, hosts, start_pool, plain, figure):
    load = Load(balancer)
    for address, seconds in ((ONE, 5.5), (TWO, 0)):
        assert hosts[address].stop() == 0
        load.wait_for(100)
        successor = start_pool(address)
        servers.wait_until(lambda: successor.says_ready(plain), "the host to be ready")
        until = time.monotonic() + seconds  # as the document says, before the next one
        servers.wait_until(lambda: time.monotonic() > until, "the balancer to look again")
    load.none_failed("hosts upgraded one by one", figure)


def test_a_host_whose_processes_are_killed_costs_no_request(balancer, hosts, figure):
    load = Load(balancer)
    hosts[ONE].expected_code = -signal.SIGKILL
    hosts[ONE].signal_all(signal.SIGKILL)
    load.none_failed("a host killed", figure)


def test_a_host_whose_link_is_cut_costs_no_request_and_serves_again(balancer, network, hosts, figure):
    load = Load(balancer)
    network.link(ONE, "down")
    load.wait_for(500)
    network.link(ONE, "up")
    load.none_failed("a link cut", figure)


def test_a_host_that_stands_still_costs_no_request(balancer, hosts, figure):
    load = Load(balancer)
    hosts[ONE].signal_all(signal.SIGSTOP)
    try:
        load.wait_for(500)
    finally:
        hosts[ONE].signal_all(signal.SIGCONT)
    load.none_failed("a host stands still", figure)


class Knowing(OpenLoop):
    """Asks again, and of the other balancer, where a connection breaks: as clients do whose name has two addresses."""

    def __init__(self, first, second):
        self.other = second
        super().__init__(first, cluster.bodies(first))
        self.wait_for(100)

    def connect(self):
        try:
            return super().connect()
        except OSError:
            self.address = self.other
            return super().connect()

    def exchange(self, policy, connection, tries=2):
        """One that is being killed may still take a connection, and break it."""
        try:
            return super().exchange(policy, connection)
        except (OSError, EOFError):
            return self.exchange(policy, None, tries - 1) if tries else (None, 0, b"")


@pytest.mark.parametrize("kinds", [(cluster.Nginx, cluster.HAProxy), (cluster.HAProxy, cluster.Nginx)], ids=["nginx", "haproxy"])
def test_a_balancer_that_is_killed_costs_no_request_of_who_knows_the_other(kinds, network, hosts, start_balancer, figure):
    first, second = (start_balancer(kind, network, address) for kind, address in zip(kinds, (BALANCER, SECOND)))
    load = Knowing(first.socket, second.socket)
    first.expected_code = -signal.SIGKILL
    for pid in [first.pid, *servers.children(first.pid)]:
        os.kill(pid, signal.SIGKILL)
    load.wait_for(400)
    outcomes = load.stop()
    figure("failed of %d, a balancer killed" % len(outcomes), len(load.failed()), 0)
    assert load.address == second.socket and " connection_foreign " not in hosts[ONE].log() + hosts[TWO].log()


def test_a_change_is_seen_by_the_very_next_request_as_the_primary_is_asked(balancer, databases):
    primary, standby = databases
    for number in range(50):
        primary.run("update authentik_policies_policy set name = 'named %d' where policy_uuid = '%s'" % (number, sample.POLICY))
        assert json.loads(rawhttp.ask(balancer.socket, "GET", sample.URI, sample.KEY).content)["name"] == "named %d" % number
    assert standby.run("select count(*)::int from pg_stat_activity where usename = 'event_matcher'") == [(0,)]


def test_a_balancer_alone_may_ask_a_host(network, hosts):
    ask = [*network.at(TWO), "python3", "-c", "import socket; s = socket.create_connection(('%s', 9000), 20); print(len(s.recv(1)))" % ONE]
    assert subprocess.run(ask, capture_output=True, text=True, check=True, **servers.unprivileged()).stdout == "0\n"
    servers.wait_until(lambda: " connection_foreign " in hosts[ONE].log(), "the log to name it")


def test_a_standby_that_is_promoted_serves_within_seconds(balancer, network, databases, figure):
    primary, standby = databases
    load = Load(balancer)
    died = time.monotonic()
    primary.process.send_signal(signal.SIGKILL)
    servers.wait_until(lambda: 503 in {outcome.status for outcome in list(load.outcomes)}, "database_wait to be over")
    command = shlex.split(cluster.documented("psql").replace(STANDBY, standby.address))
    subprocess.run([*network.at(standby.address), *command, "-U", "postgres"], check=True, capture_output=True, **servers.unprivileged())
    promoted = time.monotonic()
    servers.wait_until(lambda: any(outcome.right and outcome.sent > promoted + 3.5 for outcome in list(load.outcomes)), "answers again")
    load.stop()
    failed = load.failed()
    assert {outcome.status for outcome in failed} == {503} and died <= min(outcome.sent + outcome.took for outcome in failed)
    figure("503 of %d requests, the standby promoted %.1f s after its primary's death: the last one, seconds after the promotion: %d, and" %
           (len(load.outcomes), promoted - died, len(failed)), max(outcome.sent for outcome in failed) - promoted, 3)
    databases.reverse()
    databases[1] = primary.follow(standby)
