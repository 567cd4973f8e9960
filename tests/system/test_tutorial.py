# SPDX-License-Identifier: MIT
"""docs/tutorial.md, command by command as it stands: an ordinary user with sudo, on a bare Debian 12 with systemd."""
import re
import shutil
import subprocess

import pytest

import machine
import sample
import servers

TEXT = (servers.ROOT / "docs" / "tutorial.md").read_text()
SYSTEM = ["sudo", "postgresql", "nginx-light", "curl", "openssl", "ca-certificates"]
# In place of authentik: what it is to a client here, 80 ms and its headers, and a site as its documents have it.
AUTHENTIK = """
server {
    listen 127.0.0.1:9000;
    location / { add_header Vary "Accept, Cookie"; default_type application/json; return 200 '{"pk":"from authentik"}'; }
}
"""
SITE = """
server {
    listen 80;
    server_name www.authentik.company;
    return 301 http://authentik.company$request_uri;
}
server {
    listen 80;
    server_name authentik.company;
    location / { proxy_pass http://127.0.0.1:9000; proxy_set_header Host $host; }
}
"""


def commands(heading):
    """The shell's lines of a section."""
    return "".join(machine.commands("tutorial.md", heading))


def given():
    """The four lines that are the reader's."""
    return re.search(r"^```sh\n(SITE=.*?)^```$", TEXT, re.S | re.M)[1]


@pytest.fixture(scope="module")
def root(debian, tmp_path_factory):
    """That bare Debian with what a host of authentik has, and an ordinary user."""
    path = tmp_path_factory.mktemp("root") / "authentik"
    subprocess.run(["cp", "-a", debian, path], check=True)
    subprocess.run(["chroot", path, "sh", "-ec", "export DEBIAN_FRONTEND=noninteractive; apt-get install -y -q --no-install-recommends %s;"
                    "apt-get install -y -q --download-only wrk; useradd -m -s /bin/bash ops;"
                    "echo 'ops ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/ops; rm /etc/nginx/sites-enabled/default" % " ".join(SYSTEM)],
                   check=True, capture_output=True)
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def host(root, package):
    """That host with authentik's database and its site, and the package in the user's home."""
    directory = servers.make_directory()
    booted = machine.Machine(directory, root)
    for name in ("schema.sql", "sample.sql"):
        shutil.copy(servers.ROOT / "sql" / name, booted.run_path)
    (booted.run_path / "authentik").write_text(SITE)
    (booted.run_path / "standin.conf").write_text(AUTHENTIK)
    shutil.copy(package, booted.run_path)
    booted.run("cp /run/*.deb /home/ops; echo 127.0.0.1 authentik.company $(hostname) >>/etc/hosts; cp /run/authentik /etc/nginx/sites-available/; cp /run/standin.conf /etc/nginx/conf.d/;"
               "ln -s ../sites-available/authentik /etc/nginx/sites-enabled/; systemctl start postgresql; systemctl restart nginx;"
               "runuser -u postgres -- createdb authentik; for file in schema sample; do "
               "runuser -u postgres -- psql -q -v ON_ERROR_STOP=1 -d authentik -f /run/$file.sql >/dev/null; done")
    yield booted
    booted.stop()
    shutil.rmtree(directory)


def as_ops(host, *headings, check=True):
    """What the user types, section after section, or as it is given, in one shell; the first line that fails ends it."""
    script = "set -e -o pipefail; cd\n" + given() + "".join(heading if "\n" in heading else commands(heading) for heading in headings)
    (host.run_path / "typed").write_text(script)
    return host.run("runuser -u ops -- bash -l /run/typed", check=check)


def trace(host):
    """What could be left behind: files but logs and caches, the site, users, units, roles, databases, indexes."""
    return host.run("cd /; cat /etc/nginx/sites-available/authentik; find etc usr var/lib srv opt home run/systemd/units -xdev | grep -Ev '^var/lib/(apt|dpkg|systemd|postgresql|nginx|ucf)' | sort;"
                    "cut -d: -f1 /etc/passwd; runuser -u postgres -- psql -At -d authentik -c '\\du' -c '\\l' -c '\\di public.*'").stdout.splitlines()


BESIDE = ["Install", "Give it a role that can only read", "Configure, check, start", "Switch on"]
ON = ["Prove who answers", "Measure", "Watch"]


def answer(host):
    """What whoever asks nginx gets, with its head."""
    return host.run("curl -si -H 'Authorization: Bearer %s' http://authentik.company%s" % (sample.ADMIN, sample.URI)).stdout


def test_from_nothing_to_a_measured_and_watched_endpoint_beside_authentik_and_back(host):
    before = trace(host)
    as_ops(host, *BESIDE)
    servers.wait_until(lambda: "default-match-configuration-error" in answer(host), "nginx to have read its new files")
    said = as_ops(host, *ON).stdout
    assert re.search(r"^vary: accept, authorization", said, re.M | re.I) and "Requests/sec" in said and "Non-2xx" not in said
    assert int(re.search(r'^event_matcher_requests_total\{code="200"\} (\d+)', said, re.M)[1]) > 100
    as_ops(host, "And back")
    servers.wait_until(lambda: "from authentik" in answer(host), "authentik to answer again")
    assert sorted(set(trace(host)) ^ set(before)) == []


def test_a_package_that_is_removed_first_leaves_an_nginx_that_starts_and_authentik_behind_it(host):
    as_ops(host, *BESIDE)
    servers.wait_until(lambda: "default-match-configuration-error" in answer(host), "nginx to have read its new files")
    said = host.run("ln -s /etc/hosts /etc/nginx/not-ours; apt-get remove -y event-matcher-fcgi")
    servers.wait_until(lambda: "from authentik" in answer(host), "authentik to answer again")
    host.run("systemctl restart nginx; rm /etc/nginx/not-ours; rmdir /etc/nginx/event-matcher")
    assert "from authentik" in answer(host) and "will not start" not in said.stdout + said.stderr
    host.run("apt-get purge -y --autoremove event-matcher-fcgi; rm /etc/event-matcher-fcgi.password; runuser -u postgres -- psql -d authentik -c "
             "'drop index event_matcher_token_key' -c 'drop owned by event_matcher' -c 'drop role event_matcher'; "
             "sed -i '\\#/etc/nginx/event-matcher/#d' /etc/nginx/sites-available/authentik")


def test_alone_it_answers_with_its_own_database_and_back(host):
    before = trace(host)
    there, back = machine.commands("tutorial.md", "Alone")
    said = as_ops(host, there).stdout
    assert '"name":"default-match-configuration-error"' in said.splitlines()[-1]
    told = host.run("apt-get remove -y event-matcher-fcgi; apt-get install -y /home/ops/*.deb; "
                    "ln -s /usr/share/event-matcher-fcgi/nginx/event-matcher.conf /etc/nginx/")
    assert "will not start until these no longer include files of this package: /etc/nginx/conf.d/event-matcher.conf\n" in told.stdout + told.stderr
    as_ops(host, back)
    assert sorted(set(trace(host)) ^ set(before)) == []


def test_every_command_of_the_page_is_in_a_section_that_is_run():
    typed = given() + "".join(map(commands, [*BESIDE, *ON, "And back", "Alone"]))
    assert sorted("".join(re.findall(r"^```sh\n(.*?)^```$", TEXT, re.S | re.M)).splitlines()) == sorted(typed.splitlines())
