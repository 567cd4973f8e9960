# SPDX-License-Identifier: MIT
"""What the program says of itself: alive, ready, and what it has counted."""
import os
import re
import signal
import subprocess
import urllib.request

import pytest

import fastcgi
import rawhttp
import sample
import servers
from fastcgi import Connection
from sample import ADMIN, URI

TABLE = (servers.ROOT / "src" / "base" / "metrics.def").read_text()


def ask(workers, path, **options):
    return fastcgi.ask(workers.socket, path, **options)


def metrics(workers):
    """Every value by its name with its labels, but for the server that it is about."""
    reply = ask(workers, "/-/metrics/")
    assert reply.status == 200
    values = {}
    for name, value in re.findall(rb"^([a-z_]+(?:\{[^}]*\})?) (\S+)$", reply.body, re.M):
        name = re.sub(rb'host="[^"]*",', b"", name)
        values[name] = values.get(name, 0) + float(value)
    return values


def of(workers, name):
    return metrics(workers)[name.encode()]


def test_promtool_finds_no_fault_in_the_metrics(start_workers, alone):
    workers = start_workers(alone, workers=2)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    reply = ask(workers, "/-/metrics/")
    result = subprocess.run(["promtool", "check", "metrics"], input=reply.body, capture_output=True, timeout=60)
    assert result.returncode == 0 and result.stderr + result.stdout == b"", result.stderr + result.stdout
    assert reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


def test_every_request_is_counted_by_its_code_whichever_worker_answers(start_workers, alone):
    workers = start_workers(alone, workers=2)
    before = metrics(workers)
    for _ in range(20):
        assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    for uri, key, code in ((URI, "no-such-key", 403), ("/api/v3/other/", ADMIN, 404), (URI.replace("-", "x", 1), ADMIN, 400)):
        assert fastcgi.ask(workers.socket, uri, key).status == code
    assert fastcgi.ask(workers.socket, URI, ADMIN, method="PUT").status == 405
    assert fastcgi.ask(workers.socket, URI, ADMIN, method="OPTIONS").status == 204
    assert fastcgi.ask(workers.socket, URI, ADMIN, headers=[("Accept", "text/html")]).status == 406
    after = metrics(workers)
    grown = {code: after[name] - before[name] for code in (200, 204, 400, 403, 404, 405, 406)
             for name in [b'event_matcher_requests_total{code="%d"}' % code]}
    assert grown == {200: 20, 204: 1, 400: 1, 403: 1, 404: 1, 405: 1, 406: 1}
    asked = b"event_matcher_request_duration_seconds_count"
    assert after[asked] - before[asked] == 21
    assert after[b'event_matcher_request_duration_seconds_bucket{le="+Inf"}'] == after[asked]
    assert after[b"event_matcher_request_duration_seconds_sum"] > before[b"event_matcher_request_duration_seconds_sum"]
    assert after[b"event_matcher_batch_questions_sum"] - before[b"event_matcher_batch_questions_sum"] >= 21
    assert after[b"event_matcher_batch_questions_count"] > before[b"event_matcher_batch_questions_count"]
    for wait in (b"event_matcher_queue_wait_seconds", b"event_matcher_database_query_duration_seconds"):
        assert after[wait + b"_count"] > before[wait + b"_count"] and after[wait + b"_sum"] > before[wait + b"_sum"]


def test_what_is_open_is_counted_and_no_longer_once_it_is_closed(start_workers, alone):
    workers = start_workers(alone)
    with Connection(workers.socket), Connection(workers.socket):
        servers.wait_until(lambda: of(workers, "event_matcher_connections") == 3, "two connections and the asking one")
    servers.wait_until(lambda: of(workers, "event_matcher_connections") == 1, "the asking connection alone")


def test_workers_that_are_killed_are_counted_and_take_no_count_with_them(start_workers, alone):
    workers = start_workers(alone, workers=2)
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    before = metrics(workers)
    child = int(open("/proc/%d/task/%d/children" % (workers.pid, workers.pid)).read().split()[0])
    os.kill(child, signal.SIGKILL)
    servers.wait_until(lambda: of(workers, 'event_matcher_worker_ends_total{cause="signal",signal="SIGKILL"}') == 1, "the end to be counted")
    servers.wait_until(lambda: of(workers, 'event_matcher_workers{state="serving"}') == 2, "its successor")
    after = metrics(workers)
    counters = [name for name in before if b"_total" in name or b"_count" in name]
    assert len(counters) > 20 and [name for name in counters if after[name] < before[name]] == []
    servers.wait_until(lambda: of(workers, "event_matcher_connections") == 1, "those of before to be closed")


def test_a_reload_is_a_generation_and_one_that_fails_is_told(start_workers, alone, tmp_path):
    path = alone.server.directory / ("reload-%d.conf" % os.getpid())
    path.write_text("max_requests = 10\n")
    workers = start_workers(alone, config=path)
    assert of(workers, "event_matcher_generation") == 1 and of(workers, "event_matcher_last_reload_successful") == 1
    workers.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: of(workers, "event_matcher_generation") == 2, "the second generation")
    path.write_text("max_requests = none\n")
    workers.process.send_signal(signal.SIGHUP)
    servers.wait_until(lambda: of(workers, "event_matcher_last_reload_successful") == 0, "the failure")
    assert of(workers, "event_matcher_generation") == 2


def test_sessions_with_the_database_are_counted_by_what_they_are_for(start_workers, alone):
    workers = start_workers(alone, workers=2)
    ready = 'event_matcher_database_sessions{kind="common",state="ready"}'
    assert of(workers, ready) == 2
    lost = of(workers, 'event_matcher_database_lost_total{reason="broken"}')
    alone.run("select pg_terminate_backend(pid) from pg_stat_activity where application_name like 'event-matcher%' and datname = current_database()")
    servers.wait_until(lambda: of(workers, 'event_matcher_database_lost_total{reason="broken"}') > lost, "the loss")
    servers.wait_until(lambda: of(workers, ready) == 2, "the sessions")


def test_without_a_database_it_is_alive_and_not_ready_and_counts_why(start_workers, directory):
    workers = start_workers("host=%s dbname=none" % directory, has_database=False, database_wait="0ms")
    assert ask(workers, "/-/health/live/").status == 200 and ask(workers, "/-/health/ready/").status == 503
    servers.wait_until(lambda: of(workers, 'event_matcher_database_connects_total{result="failed"}') > 0, "a try")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 503
    assert of(workers, 'event_matcher_shed_total{reason="no_database"}') >= 1
    assert of(workers, 'event_matcher_database_sessions{kind="common",state="ready"}') == 0


def test_with_a_database_it_is_ready_until_it_drains(start_workers, alone):
    workers = start_workers(alone)
    assert ask(workers, "/-/health/ready").status == 200
    with Connection(workers.socket) as kept, Connection(workers.socket) as busy:
        busy.socket.sendall(sample.request()[:20])
        assert kept.ask("/-/health/ready/").status == 200
        workers.process.send_signal(signal.SIGTERM)
        servers.wait_until(lambda: "draining" in workers.log(), "the drain")
    assert workers.stop() == 0


@pytest.mark.parametrize("path", ["/-/", "/-/metrics/x", "/-/health/", "/-/health/dead/", "//-/metrics/", "/-/metrics/?x=1#"])
def test_other_paths_beside_them_are_not_found_as_ever(start_workers, alone, path):
    workers = start_workers(alone)
    assert ask(workers, path).status == (200 if "?" in path else 404)


def test_a_head_has_no_body(start_workers, alone):
    workers = start_workers(alone)
    reply = ask(workers, "/-/health/live/", method="HEAD")
    assert reply.status == 200 and reply.body == b"" and reply.headers["content-length"] == "5"


def test_the_log_file_is_opened_anew_by_sigusr1_and_no_request_is_lost(start_workers, alone):
    path = alone.server.directory / ("usr1-%d.log" % os.getpid())
    workers = start_workers(alone, log_file=path, stderr_to=subprocess.DEVNULL)
    servers.wait_until(lambda: "a worker is serving" in path.read_text(), "the first worker")
    moved = path.with_suffix(".1")
    path.rename(moved)
    workers.process.send_signal(signal.SIGUSR1)
    servers.wait_until(lambda: path.exists() and "a worker is serving" in path.read_text(), "a worker that logs to the new file")
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200
    assert workers.stop() == 0 and "a worker has ended" in path.read_text()


def run_ready(program, *arguments):
    return subprocess.run([program, "--ready", *arguments], capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)


def test_ready_asks_the_workers_and_needs_no_database_of_its_own(start_workers, alone, program):
    workers = start_workers(alone)
    result = run_ready(program, "--listen=unix:" + workers.socket)
    assert (result.returncode, result.stdout, result.stderr) == (0, "ready\n", "")
    assert workers.stop() == 0
    result = run_ready(program, "--listen=unix:" + workers.socket)
    assert result.returncode == 1 and "connecting to unix:%s: No such file" % workers.socket in result.stderr


def test_ready_asks_over_tcp_too(start_workers, alone, program):
    port = servers.free_port()
    start_workers(alone, listen="127.0.0.1:%d" % port)
    assert run_ready(program, "--listen=127.0.0.1:%d" % port).returncode == 0


def test_ready_says_no_while_there_is_no_database(start_workers, directory, program):
    workers = start_workers("host=%s dbname=none" % directory, has_database=False)
    result = run_ready(program, "--listen=unix:" + workers.socket)
    assert (result.returncode, result.stdout) == (1, "not ready\n")


def test_ready_does_not_wait_for_workers_that_do_not_answer(start_workers, alone, program):
    workers = start_workers(alone, watchdog_timeout="1h")
    child = int(open("/proc/%d/task/%d/children" % (workers.pid, workers.pid)).read())
    os.kill(child, signal.SIGSTOP)
    try:
        result = run_ready(program, "--listen=unix:" + workers.socket)
        assert result.returncode == 1 and "timed out" in result.stderr
    finally:
        os.kill(child, signal.SIGCONT)


def test_ready_without_an_address_says_what_it_lacks(program):
    result = run_ready(program)
    assert result.returncode == 2 and "listen names" in result.stderr


def test_the_metrics_hold_no_key_and_no_name(start_workers, alone):
    workers = start_workers(alone)
    for key in (ADMIN, "unknown-secret-key"):
        fastcgi.ask(workers.socket, URI, key, headers=[("X-Request-Id", "secret-request")])
    body = ask(workers, "/-/metrics/").body
    assert [word for word in (ADMIN, "unknown-secret-key", "secret-request", alone.name, sample.POLICY) if word.encode() in body] == []


@pytest.mark.parametrize("path", ["/-/metrics/", "/-/metrics", "/-/health/ready/", "/%2d/metrics/", "//-/metrics/", "/x/../-/metrics/", "/-/metrics/?x=1"])
def test_the_shipped_nginx_lets_nobody_see_metrics_or_health(start_workers, start_nginx, alone, path):
    nginx = start_nginx(start_workers(alone).socket)
    reply = rawhttp.ask(nginx.socket, "GET", path)
    assert reply.status == 404 and b"event_matcher" not in reply.content and b"ready" not in reply.content


def test_the_documented_location_lets_the_host_itself_see_the_metrics(start_workers, start_nginx, alone):
    line, = re.findall(r"^location = /-/metrics/ .*$", (servers.ROOT / "docs/operations.md").read_text(), re.M)
    port = servers.free_port()
    nginx = start_nginx(start_workers(alone).socket, port=port, extra=line)
    with urllib.request.urlopen("http://127.0.0.1:%d/-/metrics/" % port, timeout=60) as reply:
        assert b"event_matcher_requests_total" in reply.read()
    assert rawhttp.ask(nginx.socket, "GET", "/-/metrics/").status == 403  # over a unix socket nobody is 127.0.0.1
