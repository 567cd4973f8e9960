# SPDX-License-Identifier: MIT
"""Hosts of their own addresses on one machine: network namespaces on a bridge, and the servers of a cluster in them."""
import os
import re
import shutil
import signal
import subprocess

import rawhttp
import sample
import servers

BALANCER, SECOND, ONE, TWO, PRIMARY, STANDBY = ("10.77.0.%d" % number for number in (1, 2, 11, 12, 21, 22))
SCRIPT = """set -e
ip link set lo up; ip link add name switch type bridge; ip link set switch up; ip address add {balancer}/24 dev switch
host() {{
    unshare --net sleep 3600 & pid=$!
    while [ "$(readlink /proc/$pid/ns/net)" = "$(readlink /proc/$$/ns/net)" ]; do sleep 0.01; done
    ip link add name $1 type veth peer name eth0 netns $pid
    ip link set $1 master switch up
    nsenter --net -t $pid sh -ec "ip link set lo up; ip address add $2/24 dev eth0; ip link set eth0 up"
    echo $2 $pid
}}
{hosts}
echo ready
"""


def documented(start):
    """A command of docs/cluster.md, with the addresses and the database that are here."""
    text = (servers.ROOT / "docs" / "cluster.md").read_text()
    command = re.search(r"^```sh\n(%s(?:.|\n)*?)\n```$" % re.escape(start), text, re.M).group(1)
    return command.replace("10.0.0.", "10.77.0.").replace("authentik", "postgres")


class Network:
    """A bridge, on which the first balancer is, and a host for each address; no privilege is needed but namespaces of users."""

    def __init__(self):
        self.shell = subprocess.Popen(["unshare", "--user", "--map-current-user", "--keep-caps", "--net", "sh"], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **servers.unprivileged())
        self.pids = {BALANCER: self.shell.pid}
        hosts = "\n".join("host veth%d %s" % (number, address) for number, address in enumerate((ONE, TWO, PRIMARY, STANDBY, SECOND)))
        self.tell(SCRIPT.format(balancer=BALANCER, hosts=hosts))
        for line in iter(self.shell.stdout.readline, "ready\n"):
            if not line:
                raise OSError("no namespaces can be made here: %s" % self.shell.stderr.read().strip())
            address, pid = line.split()
            self.pids[address] = int(pid)
        self.cables = {ONE: "veth0", TWO: "veth1"}

    def tell(self, command):
        self.shell.stdin.write(command + "\n")
        self.shell.stdin.flush()

    def link(self, address, state):
        self.tell("ip link set %s %s && echo done" % (self.cables[address], state))
        assert self.shell.stdout.readline() == "done\n"

    def at(self, address):
        """What starts a program there."""
        return ["nsenter", "--preserve-credentials", "--user", "--net", "-t", str(self.pids[address])]

    def close(self):
        for address, pid in self.pids.items():
            if address != BALANCER:
                os.kill(pid, signal.SIGKILL)
        self.shell.stdin.close()
        self.shell.wait(60)
        self.shell.stdout.close()
        self.shell.stderr.close()


class Postgres(servers.Postgres):
    """On a host; following: the primary that it is a copy of."""

    def __init__(self, directory, network, address, following=None):
        self.prefix, self.address, self.network = network.at(address), address, network
        if following:
            subprocess.run([*self.prefix, servers.BIN / "pg_basebackup", "-D", directory / "data", "-R", "-X", "stream", "-c", "fast", "--no-sync",
                            "-h", following.address, "-U", "postgres"], check=True, capture_output=True, cwd=directory, **servers.unprivileged())
        super().__init__(directory, "-c", "listen_addresses=" + address, "-c", "wal_retrieve_retry_interval=100ms")
        if not following:
            with open(self.data / "pg_hba.conf", "a") as rules:
                rules.write("host all,replication all 10.77.0.0/24 trust\n")
            self.run("select pg_reload_conf()")

    def follow(self, primary):
        """What has been the primary comes back as the other's standby, with a copy of its data."""
        self.stop(signal.SIGQUIT)
        shutil.rmtree(self.data)
        return Postgres(self.directory, self.network, self.address, primary)

    def start_again(self):
        if self.arguments[0] != self.prefix[0]:
            self.arguments = [*self.prefix, *self.arguments]
        super().start_again()


class Pool(servers.Workers):
    """Workers on a host, which the balancer alone may ask."""

    def __init__(self, program, directory, network, address, databases):
        self.network, self.address = network, address
        allowed, database = re.search(r"^FCGI_WEB_SERVER_ADDRS=(\S+) .*\n.*--database='(.*)'$", documented("FCGI_WEB"), re.M).groups()
        defaults = dict(re.findall(r'^SETTING\((\w+), duration, "(\w+)"', (servers.ROOT / "src" / "settings.def").read_text(), re.M))
        super().__init__(program, directory, database, {"FCGI_WEB_SERVER_ADDRS": allowed.replace(ONE, address)}, network.at(address),
                         listen=address + ":9000", workers=2, **{name: defaults[name] for name in servers.PATIENCE})

    def says_ready(self, program):
        command = documented("event-matcher-fcgi --ready").replace(ONE, self.address).split()
        return subprocess.run([*self.network.at(self.address), program, *command[1:]], capture_output=True, **servers.unprivileged()).returncode == 0

    def signal_all(self, number):
        for pid in [*self.worker_pids(), self.pid]:
            os.kill(pid, number)


class Nginx(servers.Nginx):
    """The site that is shipped for the API alone, with cluster.conf in place of upstream.conf."""

    def __init__(self, directory, network, address=BALANCER):
        self.prefix = network.at(address)
        super().__init__(directory, "/none", site="cluster")

    @staticmethod
    def use_site(directory, site, authentik):
        subprocess.run(documented("sed"), shell=True, check=True, cwd=directory)
        (directory / "upstream.conf").write_text((directory / "cluster.conf").read_text().replace("10.0.0.", "10.77.0."))


class HAProxy(servers.Process):
    """A frontend, and the shipped file."""

    expected_code = -signal.SIGTERM

    def __init__(self, directory, network, address=BALANCER):
        self.socket = str(directory / "haproxy.sock")
        text = (servers.ROOT / "contrib" / "haproxy" / "cluster.cfg").read_text().replace("10.0.0.", "10.77.0.")
        (directory / "haproxy.cfg").write_text("defaults\n mode http\n timeout client 60s\nfrontend clients\n bind unix@%s mode 0666\n"
                                               " default_backend event_matcher\n%s" % (self.socket, text))
        super().__init__([*network.at(address), "haproxy", "-db", "-f", directory / "haproxy.cfg"], directory, "haproxy")
        self.wait_ready(lambda: os.path.exists(self.socket) and servers.connects(self.socket), "HAProxy")


def bodies(socket):
    """What is answered for each policy while nothing is wrong."""
    replies = {policy: rawhttp.ask(socket, "GET", sample.URI.replace(sample.POLICY, policy), sample.KEY) for policy in sample.POLICIES}
    assert {reply.status for reply in replies.values()} == {200}
    return {policy: reply.content for policy, reply in replies.items()}
