# SPDX-License-Identifier: MIT
"""Settings from all their places: taken, or refused by a message that names the place and the cause."""
import json
import os
import re
import signal
import socket
import subprocess
import time

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
SPECIAL = {"base_path": "/other", "listen": "127.0.0.1:9999", "metrics_listen": "127.0.0.1:9187"}


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
    first = run(program, "--dump-config", "--workers=3", "--database=application_name='a b' dbname=x", EVENT_MATCHER_LISTEN_MODE="0600")
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


# What editors, and habits from the files of other programs, make of a line: what it is taken for.
TAKEN = {"a byte order mark and CRLF": ("\ufeffschema = other\r\n", "schema", "other"), "a hash in quotes": ("schema = 'a # b'\n", "schema", "a # b"),
         "no spaces": ('schema="other"', "schema", "other"), "a hash within a word": ("schema = a#b\n", "schema", "a#b"),
         "tabs": ("\tschema\t=\tother\t\n", "schema", "other"), "a quote within": ("schema = it's\n", "schema", "it's"),
         "quotes that belong to the value": ("database = dbname='x'\n", "database", "dbname='x'"), "an empty line with CR": ("\r\nworkers = 3\r\n", "workers", "3"),
         "an equals sign": ("schema = a=b\n", "schema", "a=b"), "a colon": ("listen = :9000\n", "listen", ":9000"), "a port": ("listen = 9000\n", "listen", "9000"),
         "several addresses": ("listen = unix:/a, [::1]:9000 127.0.0.1:9001\n", "listen", "unix:/a, [::1]:9000 127.0.0.1:9001"),
         "a group's number": ("listen_group = 33\n", "listen_group", "33"), "a comment of its own": ("  # workers = 2\nworkers = 3", "workers", "3"),
         "no line end": ("workers = 3", "workers", "3"), "another unit": ("request_timeout = 60000ms\n", "request_timeout", "1min"),
         "bytes": ("max_unsent = 2097152\n", "max_unsent", "2MiB"), "leading zeros": ("workers = 03\n", "workers", "3")}
REFUSED = {"UTF-16": ("schema = other\n".encode("utf-16"), ":1: the file is UTF-16, and is to be UTF-8"),
           "UTF-16 without a mark": ("schema = other\n".encode("utf-16-le"), ":1: the line holds a NUL byte"),
           "a NUL": ("workers = 2\nsch\0ema = x\n", ":2: the line holds a NUL byte"), "lone carriage returns": ("workers = 2\rschema = x\r", ":1: the line holds a control character"),
           "a comment behind": ("workers = 2 # two\n", ":1: a comment is to stand on a line of its own"), "a semicolon": ("; workers = 2\n", "; a comment begins with #"),
           "a colon": ("workers: 2\n", ":1: a line is to be \"name = value\", with = and not a colon"), "a section": ("[settings]\n", ":1: a line is to be \"name = value\"; there are no sections"),
           "a section with =": ("[a=b]\n", "there are no sections"), "a name alone": ("workers\n", ":1: a line is to be \"name = value\"\n"),
           "a value alone": ("= 2\n", ":1: unknown setting \"\""), "a shell's word": ("export workers=2\n", ":1: a name stands there without \"export\""),
           "a quote that does not end": ('schema = "other\n', ":1: the value of schema starts with a quote and does not end with it"),
           "a quote that does not start": ("schema = other'\n", ":1: the value of schema ends with a quote and does not start with it"),
           "two kinds of quotes": ("schema = \"other'\n", "starts with a quote and does not end with it"),
           "a setting twice": ("workers = 2\n\nworkers = 2\n", ":3: workers stands there twice, first in line 1"),
           "a name misspelt": ("data_base = x\n", ':1: unknown setting "data_base"; did you mean "database"?'),
           "a name as the command line has it": ("listen-mode = 0660\n", ':1: unknown setting "listen-mode"; did you mean "listen_mode"?'),
           "a name in capitals": ("WORKERS = 2\n", ':1: unknown setting "WORKERS"'), "a space before the unit": ("request_timeout = 5 s\n", 'request_timeout is to be a duration with its unit, such as 250ms, 2s or 5min, within its limits, not "5 s"'),
           "no unit": ("request_timeout = 5\n", "request_timeout is to be a duration with its unit"), "another unit of size": ("max_unsent = 10MB\n", "max_unsent is to be a size in bytes or with KiB, MiB or GiB"),
           "a fraction": ("request_timeout = 1.5s\n", "request_timeout is to be a duration"), "a sign": ("workers = -1\n", "workers is to be a whole number"),
           "a plus": ("workers = +1\n", "workers is to be a whole number"), "too many": ("workers = 65\n", ':1: workers is to be between 0 and 64, not "65"'),
           "too little": ("request_timeout = 1ms\n", ':1: request_timeout is to be between 10ms and 1h, not "1ms"'),
           "more than 64 bits": ("workers = 18446744073709551616\n", "workers is to be a whole number"), "more than 64 bits by its unit": ("max_unsent = 99999999999999GiB\n", "max_unsent is to be a size"),
           "a mode that is none": ("listen_mode = 0888\n", "listen_mode is to be an octal mode"), "a mode with letters": ("listen_mode = rw-rw----\n", "listen_mode is to be an octal mode"),
           "another yes": ("sandbox = yes\n", 'sandbox is to be on or off, not "yes"'), "a level in capitals": ("log_level = INFO\n", "log_level is to be error, warning, info or debug"),
           "an empty number": ("workers =\n", "workers is to be a whole number"), "an empty schema": ("schema =\n", "schema is empty"),
           "port 0": ("listen = :0\n", "listen: the address :0 has a port that is not between 1 and 65535"), "port 65536": ("listen = 127.0.0.1:65536\n", "has a port that is not between 1 and 65535"),
           "no port": ("listen = 127.0.0.1:\n", "the address 127.0.0.1: is not unix:/path, host:port or a port"), "no port behind a bracket": ("listen = [::1]\n", "the address [::1] has no port behind its bracket"),
           "IPv6 without brackets": ("listen = ::1:9000\n", "the address ::1:9000 is an IPv6 address, which is to stand in brackets"),
           "a path that is not whole": ("listen = unix:run/x.sock\n", "the address unix:run/x.sock has a path that does not begin with a slash"),
           "a path without unix:": ("listen = /run/x.sock\n", "the address /run/x.sock is a path: unix: is to stand before it"), "no path": ("listen = unix:\n", "the address unix: has no path"),
           "a path that is too long": ("listen = unix:/%s\n" % ("x" * 107), "has a path of more than 107 bytes"), "an address that is too long": ("listen = %s:1\n" % ("x" * 300), "is too long"),
           "a comma alone": ("listen = ,\n", "is not unix:/path, host:port or a port"), "a word": ("listen = nonsense\n", "the address nonsense is not unix:/path, host:port or a port"),
           "a wrong one of several": ("listen = unix:/a,b:c:d\n", "the address b:c:d is an IPv6 address")}


@pytest.mark.parametrize("text, name, value", TAKEN.values(), ids=TAKEN)
def test_a_file_as_editors_leave_it_is_taken(program, tmp_path, text, name, value):
    (tmp_path / "settings").write_bytes(text.encode())
    assert dumped(run(program, "--dump-config", "--config=%s" % (tmp_path / "settings")))[name][0] == value


@pytest.mark.parametrize("content, error", REFUSED.values(), ids=REFUSED)
def test_a_file_that_is_mistaken_is_refused_with_line_and_cause(program, tmp_path, content, error):
    path = tmp_path / "settings"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    result = run(program, "--dump-config", "--config=%s" % path)
    assert result.returncode == 2 and (str(path) if error.startswith(":") else "") + error in result.stderr and result.stdout == ""


@pytest.mark.parametrize("given, error", [("2\r", None), ('"2"', None), ("'2'\r", None), (" 2", 'workers is to be a whole number within its limits, not " 2"'),
                                          ('"2', "EVENT_MATCHER_WORKERS: the value starts with a quote and does not end with it"), ("2#", "EVENT_MATCHER_WORKERS: workers is to be"),
                                          ("65", 'EVENT_MATCHER_WORKERS: workers is to be between 0 and 64, not "65"'), ("$WORKERS", "EVENT_MATCHER_WORKERS: workers is to be")])
def test_a_variable_as_env_files_leave_it_is_taken_or_refused_by_its_name(program, given, error):
    result = run(program, "--dump-config", EVENT_MATCHER_WORKERS=given)
    assert dumped(result)["workers"] == ("2", "EVENT_MATCHER_WORKERS") if error is None else result.returncode == 2 and error in result.stderr


def test_a_value_with_a_control_character_is_refused_and_spoils_no_terminal(program):
    result = run(program, "--dump-config", "--schema=a\x1b[2Jb")
    assert result.returncode == 2 and "command line: schema holds a control character" in result.stderr
    result = run(program, "--dump-config", "--workers=\x1b[2J")
    assert result.returncode == 2 and 'not "\\x1b[2J"' in result.stderr


# Of each setting a test that sees what it does; the three places that it may come from are seen above, in what holds afterwards.
EFFECTS = {
    "listen": "test_a_pool_listens_on_several_addresses", "listen_mode": "test_the_socket_gets_its_mode_and_is_removed_at_the_end",
    "listen_group": "test_the_socket_gets_its_group", "metrics_listen": "test_a_unix_socket_has_the_mode_and_outlives_a_reload_and_the_loss_of_its_file",
    "listen_backlog": "test_a_full_listen_queue_is_no_end_and_soon_over",
    "database": "test_the_database_is_the_one_that_the_strongest_place_names", "database_password_file": "test_a_password_file_of_any_mode_is_read_anew_at_each_connect",
    "schema": "test_another_schema_is_found_by_its_name", "workers": "test_a_reload_takes_new_settings_with_new_workers",
    "base_path": "test_another_base_path_moves_the_route", "max_connections": "test_connections_beyond_max_connections_are_said_and_counted",
    "max_requests": "test_what_is_shed_at_max_requests_is_said_and_counted", "max_token_lookups": "test_more_token_lookups_than_allowed_are_told_503",
    "known_answers": "test_known_answers_are_given_where_there_is_room_for_them",
    "max_unsent": "test_replies_that_nobody_reads_are_held_up_to_max_unsent_and_beyond_it_told_503",
    "request_timeout": "test_a_server_that_is_stopped_gives_504_at_the_deadline", "database_wait": "test_a_lost_database_gives_503_and_heals_by_itself",
    "statement_timeout": "test_a_batch_that_waits_behind_a_slow_one_is_not_taken_for_a_lost_connection",
    "lock_timeout": "test_a_statement_that_waits_for_a_migrations_lock_gives_way_within_lock_timeout",
    "connect_timeout": "test_connect_timeout_bounds_a_server_that_says_nothing", "token_session_idle": "test_the_session_for_access_tokens_is_opened_when_it_is_needed_and_closed_when_not",
    "receive_timeout": "test_a_peer_that_makes_progress_outlives_receive_timeout", "body_timeout": "test_a_body_that_drips_is_cut_off_after_body_timeout",
    "send_timeout": "test_a_peer_that_still_writes_after_its_last_reply_is_listened_to_until_send_timeout", "idle_timeout": "test_an_idle_connection_is_closed_after_idle_timeout",
    "drain_timeout": "test_a_drain_ends_after_drain_timeout_whoever_is_still_there", "watchdog_timeout": "test_watchdog_timeout_says_how_long_a_worker_may_hang",
    "slow_request": "test_an_answer_that_takes_long_is_a_line_with_where_the_time_went", "log_level": "test_a_question_whose_client_has_gone_is_not_asked_again",
    "log_format": "test_a_log_of_json_has_an_object_a_line_and_goes_to_the_file", "log_file": "test_the_log_file_is_opened_anew_by_sigusr1_and_no_request_is_lost",
    "sandbox": "test_without_the_sandbox_the_same_calls_are_made"}


def test_each_setting_has_a_test_that_sees_what_it_does():
    text = "\n".join(path.read_text() for path in sorted((servers.ROOT / "tests" / "system").glob("test_*.py")))
    assert list(EFFECTS) == [row[0] for row in ROWS]
    for name, test in EFFECTS.items():
        bodies = re.findall(r"^def %s\(.*?(?=^\S|\Z)" % test, text, re.M | re.S)
        assert len(bodies) == 1 and re.search(r"\b%s\b" % name.replace("_", "[_-]"), bodies[0]), test


def test_the_database_is_the_one_that_the_strongest_place_names(program, alone, tmp_path):
    path, nowhere = tmp_path / "settings", "host=/nonexistent"
    path.write_text("database = %s\n" % alone.dsn)
    file, variable = {"EVENT_MATCHER_CONFIG": str(path)}, {"EVENT_MATCHER_DATABASE": alone.dsn}
    assert run(program, "--check", **file).returncode == 0
    path.write_text("database = %s\n" % nowhere)
    assert run(program, "--check", **file).returncode == 1 and run(program, "--check", **file, **variable).returncode == 0
    assert run(program, "--check", "--database=" + nowhere, **variable).returncode == 1


def test_watchdog_timeout_says_how_long_a_worker_may_hang(start_workers, alone):
    workers = start_workers(alone, watchdog_timeout="3500ms")
    stopped = time.monotonic()
    os.kill(workers.worker_pids()[0], signal.SIGSTOP)
    servers.wait_until(lambda: "gave no sign of life" in workers.log(), "the watchdog")
    assert time.monotonic() - stopped > 3


def test_connect_timeout_bounds_a_server_that_says_nothing(program):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        started = time.monotonic()
        result = run(program, "--check", "--connect-timeout=3s", "--database=host=127.0.0.1 port=%d user=x" % silent.getsockname()[1])
    assert result.returncode == 1 and "did not answer in time" in result.stderr and time.monotonic() - started > 2.9


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


def test_a_password_file_of_libpq_that_others_may_read_is_one_line_in_our_form(start_workers, directory):
    """libpq itself would write to standard error at each try of each server."""
    path = directory / "pgpass-of-all"
    path.write_text("*:*:*:*:secretword\n")
    path.chmod(0o444)
    workers = start_workers("host=%s,/nowhere dbname=none" % directory, workers=2, has_database=False, database_wait="0ms",
                            environment={"PGPASSFILE": str(path)})
    failed = re.compile(rb'^event_matcher_database_connects_total\{.*"failed".*\} (\d+)$', re.M)
    servers.wait_until(lambda: sum(map(int, failed.findall(fastcgi.ask(workers.socket, "/-/metrics/").body))) >= 8, "some tries")
    assert workers.stop() == 0 and "secretword" not in workers.log()
    lines = workers.log().splitlines()
    assert [line for line in lines if not re.match(r"\d{4}-\S+Z (error|warning|info) \d+ [a-z_]+ ", line)] == []
    assert len([line for line in lines if " passfile_unread the password file %s is not read: " % path in line]) == 1


def test_a_log_of_json_has_an_object_a_line_and_goes_to_the_file(start_workers, alone):
    path = alone.server.directory / ("json-%s.log" % os.getpid())
    workers = start_workers(alone, log_format="json", log_file=path, stderr_to=subprocess.DEVNULL)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and workers.stop() == 0
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert {"time", "level", "pid", "event", "message"} == set(lines[0]) and "a worker has ended" in {line["message"] for line in lines}


def test_a_log_file_that_cannot_be_opened_ends_the_start_and_is_named(program):
    result = run(program, "--listen=unix:/nonexistent/socket", "--log-file=/nonexistent/log")
    assert result.returncode == 1 and "opening the log file /nonexistent/log: No such file or directory" in result.stderr
