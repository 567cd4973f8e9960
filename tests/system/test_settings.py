# SPDX-License-Identifier: MIT
"""Settings from all their places: taken, or refused by a message that names the place and the cause."""
import json
import os
import re
import subprocess

import pytest

import fastcgi
import servers
from sample import ADMIN, URI

LINE = re.compile(r"^(\w+) = (.*)$", re.M)
TABLE = (servers.ROOT / "src" / "settings.def").read_text()
ROWS = re.findall(r'^SETTING\((\w+), (\w+), "([^"]*)", (.+?), (.+?), (RELOAD|RESTART),\s+"([^"]+)"\)', TABLE, re.M)
ANOTHER = {"text": "other", "conninfo": "dbname='other'", "count": "3", "mode": "0640", "duration": "90s", "size": "2MiB", "level": "debug",
           "flag": "off",
           "form": "json"}
SPECIAL = {"base_path": "/other", "listen": "127.0.0.1:9999"}


def run(program, *arguments, **environment):
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], **environment})


def dumped(result):
    """The lines of a dump by name, each with the comment that says where it came from."""
    assert result.returncode == 0, result.stderr
    return {name: (value.strip('"'), origin) for origin, name, value in
            re.findall(r"^# ((?!what is).*)\n(?:# what is secret is left out\n)?(\w+) = (.*)$", result.stdout, re.M)}


def test_every_row_of_the_table_is_read_by_this_test():
    assert len(ROWS) == TABLE.count("\nSETTING(") and len(ROWS) > 20


@pytest.mark.parametrize("name, kind", [row[:2] for row in ROWS])
def test_a_setting_is_taken_from_all_three_places(program, tmp_path, name, kind):
    value = SPECIAL.get(name, ANOTHER[kind])
    path = tmp_path / "settings"
    path.write_text("%s = %s\n" % (name, value))
    word = "--%s=%s" % (name.replace("_", "-"), value)
    for arguments, environment, origin in (([word], {}, "command line"), (["--config=%s" % path], {}, "%s:1" % path),
                                           ([], {"EVENT_MATCHER_" + name.upper(): value}, "EVENT_MATCHER_" + name.upper())):
        assert dumped(run(program, "--dump-config", *arguments, **environment))[name] == (value, origin)


def test_a_dump_is_a_settings_file_that_says_the_same(program, tmp_path):
    path = tmp_path / "settings"
    first = run(program, "--dump-config", "--workers=3", "--database=host='a b' dbname=x", EVENT_MATCHER_LISTEN_MODE="0600")
    path.write_text(first.stdout)
    again = run(program, "--dump-config", "--config=%s" % path)
    assert LINE.findall(again.stdout) == LINE.findall(first.stdout) and "workers = 3" in again.stdout


def test_the_file_of_defaults_holds_every_setting_with_its_default(program, tmp_path):
    text = (servers.ROOT / "build" / "event-matcher-fcgi.conf").read_text()
    path = tmp_path / "settings"
    path.write_text(re.sub(r"^#(\w+ =)", r"\1", text, flags=re.M))
    given = dumped(run(program, "--dump-config", "--config=%s" % path))
    assert {name: value for name, (value, _) in given.items()} == {
        name: value for name, (value, _) in dumped(run(program, "--dump-config")).items()}
    assert [name for name, (_, origin) in given.items() if not origin.startswith(str(path))] == []


def test_no_password_is_dumped(program):
    for text in ("host=a password='secret word'", "postgresql://u:secretword@a/em", "host=a sslpassword=secretword"):
        result = run(program, "--dump-config", "--database=" + text, EVENT_MATCHER_SCHEMA="x")
        assert "secret" not in result.stdout.replace("what is secret is left out", "") and "# what is secret is left out" in result.stdout


@pytest.mark.parametrize("text, value", [("\ufeffschema = other\r\n", "other"), ("schema = 'a # b'\n", "a # b"), ('schema="other"', "other"),
                                         ("schema = a#b\n", "a#b")])
def test_a_file_as_editors_leave_it_is_taken(program, tmp_path, text, value):
    (tmp_path / "settings").write_bytes(text.encode())
    assert dumped(run(program, "--dump-config", "--config=%s" % (tmp_path / "settings")))["schema"][0] == value


@pytest.mark.parametrize("content, error", [
    ("schema = other\n".encode("utf-16"), ":1: the file is UTF-16"), (b"workers = 2 # two\n", ":1: a comment is to stand on a line of its own"),
    (b'schema = "other\n', ":1: the value of schema starts with a quote"), (b"workers = 2\nworkers = 2\n", ":2: workers stands there twice, first in line 1"),
    (b"workers = 2\nsch\0ema = x\n", ":2: the line holds a NUL byte"), (b"data_base = x\n", ':1: unknown setting "data_base"; did you mean "database"?')])
def test_a_file_that_is_mistaken_is_refused_with_line_and_cause(program, tmp_path, content, error):
    path = tmp_path / "settings"
    path.write_bytes(content)
    result = run(program, "--dump-config", "--config=%s" % path)
    assert result.returncode == 2 and str(path) + error in result.stderr and result.stdout == ""


def test_a_misspelt_variable_is_refused_and_an_empty_one_is_none(program):
    result = run(program, "--dump-config", EVENT_MATCHER_DATABSE="x")
    assert result.returncode == 2 and "EVENT_MATCHER_DATABSE: unknown setting; did you mean EVENT_MATCHER_DATABASE?" in result.stderr
    assert dumped(run(program, "--dump-config", EVENT_MATCHER_WORKERS="", EVENT_MATCHER_SCHEMA=""))["schema"] == ("public", "default")


AUTHENTIK = {"AUTHENTIK_POSTGRESQL__HOST": "postgresql", "AUTHENTIK_POSTGRESQL__PASSWORD": "secretword",
             "AUTHENTIK_POSTGRESQL__DEFAULT_SCHEMA": "other"}


def test_authentiks_variables_name_the_database_where_ours_do_not(program):
    given = dumped(run(program, "--dump-config", **AUTHENTIK))
    assert given["database"] == ("user='authentik' dbname='authentik' host='postgresql'", "the environment of authentik")
    assert given["schema"] == ("other", "the environment of authentik")
    given = dumped(run(program, "--dump-config", "--database=dbname=x", EVENT_MATCHER_SCHEMA="mine", **AUTHENTIK))
    assert given["database"] == ("dbname='x'", "command line") and given["schema"] == ("mine", "EVENT_MATCHER_SCHEMA")


def test_authentiks_variables_reach_its_database_with_the_password_in_a_file_of_any_mode(start_workers, alone, program, tmp_path):
    missing = run(program, "--dump-config", AUTHENTIK_POSTGRESQL__PASSWORD="file:///nonexistent/secret")
    assert missing.returncode == 2 and "AUTHENTIK_POSTGRESQL__PASSWORD: reading the file /nonexistent/secret" in missing.stderr
    secret = alone.server.directory / "secret"
    secret.write_text("any password\n")
    secret.chmod(0o444)
    workers = start_workers("", environment={
        "AUTHENTIK_POSTGRESQL__HOST": str(alone.server.directory), "AUTHENTIK_POSTGRESQL__NAME": alone.name,
        "AUTHENTIK_POSTGRESQL__USER": "event_matcher", "AUTHENTIK_POSTGRESQL__PASSWORD": "file://%s" % secret})
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200


def test_a_log_of_json_has_an_object_a_line_and_goes_to_the_file(start_workers, alone):
    path = alone.server.directory / ("json-%s.log" % os.getpid())
    workers = start_workers(alone, log_format="json", log_file=path, stderr_to=subprocess.DEVNULL)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and workers.stop() == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"time", "level", "pid", "event", "message"} == set(lines[0]) and "a worker has ended" in {line["message"] for line in lines}


def test_a_log_file_that_cannot_be_opened_ends_the_start_and_is_named(program):
    result = run(program, "--listen=unix:/nonexistent/socket", "--log-file=/nonexistent/log")
    assert result.returncode == 1 and "opening the log file /nonexistent/log: No such file or directory" in result.stderr
