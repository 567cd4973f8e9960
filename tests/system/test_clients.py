# SPDX-License-Identifier: MIT
"""Real clients and every way to be started: nginx, cgi-fcgi, spawn-fcgi, CGI, systemd's descriptors."""
import json
import os
import re
import socket
import subprocess

import pytest

import fastcgi
import rawhttp
import sample
import servers
from sample import ADMIN, KEY, POLICY, URI


def test_nginx_keeps_its_connection_and_passes_get_head_and_refusals(nginx):
    with rawhttp.Connection(nginx.socket) as connection:
        asked = [("GET", URI, KEY), ("HEAD", URI, KEY), ("GET", URI, []), ("GET", "/x", KEY), ("POST", URI, KEY),
                 ("OPTIONS", URI, []), ("GET", URI, KEY)]
        got = [connection.ask(method, uri, headers, b"x" * 9 if method == "POST" else None).status
               for method, uri, headers in asked]
    assert got == [200, 200, 403, 404, 405, 204, 200]
    assert rawhttp.ask(nginx.socket, "TRACE", URI, KEY).status == 405


def test_what_nginx_refuses_by_itself_is_refused_by_the_workers_too(nginx, workers):
    twice = KEY + KEY
    assert rawhttp.ask(nginx.socket, "GET", URI, twice).status == 400
    assert fastcgi.ask(workers.socket, URI, headers=twice).status == 400
    huge = [("Authorization", "Bearer " + "a" * 40000)]
    assert rawhttp.ask(nginx.socket, "GET", URI, huge).status == 400
    assert fastcgi.ask(workers.socket, URI, headers=huge).status == 403


def test_a_key_and_a_path_of_8_kib_pass_nginx(nginx):
    long_key = [("Authorization", "Bearer " + "a" * 8192)]
    assert rawhttp.ask(nginx.socket, "GET", URI, long_key).status == 403
    assert rawhttp.ask(nginx.socket, "GET", fastcgi.URI.format("a" * 8000), KEY).status == 400


def test_a_reply_of_4_mib_passes_nginx(start_workers, start_nginx, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set app = repeat('x', 4 << 20)")
    nginx = start_nginx(start_workers(own).socket)
    response = rawhttp.ask(nginx.socket, "GET", URI, KEY)
    assert response.status == 200 and len(json.loads(response.content)["app"]) == 4 << 20


def cgi_environment(**more):
    return {"REQUEST_METHOD": "GET", "REQUEST_URI": URI, "HTTP_AUTHORIZATION": "Bearer " + ADMIN,
            "PATH": os.environ["PATH"], **servers.variables(**servers.PATIENCE), **more}


def test_cgi_fcgi_gets_a_whole_reply(workers):
    result = subprocess.run(["cgi-fcgi", "-bind", "-connect", workers.socket], env=cgi_environment(),
                            capture_output=True, timeout=120)
    head, _, body = result.stdout.partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK\r\n") and json.loads(body)["pk"] == POLICY


def run_cgi(program, database, *arguments, **more):
    environment = cgi_environment(GATEWAY_INTERFACE="CGI/1.1", EVENT_MATCHER_DATABASE=database.dsn, **more)
    return subprocess.run([program, *arguments], env=environment, capture_output=True, timeout=120,
                          stdin=subprocess.DEVNULL)


def test_a_cgi_request_is_answered_on_standard_output(program, alone):
    result = run_cgi(program, alone)
    assert result.returncode == 0 and result.stdout.startswith(b"Status: 200 OK\r\n")
    assert json.loads(result.stdout.partition(b"\r\n\r\n")[2])["pk"] == POLICY


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["--database=host=/nowhere"], ["-x"], ["--workers=0x"]])
def test_under_cgi_the_arguments_are_ignored(program, alone, arguments):
    assert run_cgi(program, alone, *arguments).stdout.startswith(b"Status: 200 OK\r\n")


def test_a_cgi_request_may_come_without_request_uri_and_beside_odd_variables(program, alone):
    result = run_cgi(program, alone, REQUEST_URI="", LS_COLORS="\x1b[0m", HTTP_PROXY="http://evil",
                     EVENT_MATCHER_CONFIG="")
    assert result.stdout.startswith(b"Status: 404")
    environment = cgi_environment(GATEWAY_INTERFACE="CGI/1.1", EVENT_MATCHER_DATABASE=alone.dsn, SCRIPT_NAME="/api/v3",
                                  PATH_INFO=URI[7:], LS_COLORS="\x1b[0m")
    del environment["REQUEST_URI"]
    result = subprocess.run([program], env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    assert result.stdout.startswith(b"Status: 200")


def test_a_cgi_request_without_a_database_is_told_503(program, tmp_path):
    environment = cgi_environment(GATEWAY_INTERFACE="CGI/1.1",
                                  **servers.variables(database="host=%s" % tmp_path, database_wait="1s"))
    result = subprocess.run([program], env=environment, capture_output=True, stdin=subprocess.DEVNULL, timeout=120)
    assert result.stdout.startswith(b"Status: 503") and b"Retry-After: 1" in result.stdout


def test_a_large_cgi_reply_waits_for_a_reader_behind_a_pipe_that_does_not_block(program, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set app = repeat('x', 4 << 20)")
    read_end, write_end = os.pipe()
    os.set_blocking(write_end, False)
    environment = cgi_environment(GATEWAY_INTERFACE="CGI/1.1", EVENT_MATCHER_DATABASE=own.dsn)
    process = subprocess.Popen([program], env=environment, stdin=subprocess.DEVNULL, stdout=write_end)
    os.close(write_end)
    with os.fdopen(read_end, "rb") as reader:
        head = reader.read(10)
        waiting = "/proc/%d/syscall" % process.pid
        servers.wait_until(lambda: open(waiting).read().split()[0] in ("7", "271"), "the program to wait for its reader")  # poll
        body = (head + reader.read()).partition(b"\r\n\r\n")[2]
    assert process.wait(60) == 0 and len(json.loads(body)["app"]) == 4 << 20


def test_spawn_fcgi_hands_over_descriptor_0_and_one_worker_serves(program, alone, directory):
    path = str(directory / "spawned.sock")
    pid_file = directory / "spawned.pid"
    subprocess.run(["spawn-fcgi", "-s", path, "-M", "0666", "-P", pid_file, "--", program,
                    *servers.options(database=alone.dsn, **servers.PATIENCE)],
                   check=True, capture_output=True)
    pid = int(pid_file.read_text())
    try:
        assert fastcgi.ask(path, URI, ADMIN).status == 200
        assert open("/proc/%d/task/%d/children" % (pid, pid)).read() == ""
    finally:
        os.kill(pid, 15)
        servers.wait_until(lambda: not servers.connects(path), "the spawned worker to end")


def listening_socket(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(16)
    return listener


def test_systemds_sockets_are_taken_over_with_a_pool(program, alone, directory):
    path = str(directory / "activated.sock")
    listener = listening_socket(path)
    script = 'exec 3<&%d; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"' % listener.fileno()
    process = subprocess.Popen(["bash", "-c", script, "bash", program,
                                *servers.options(database=alone.dsn, workers=2, **servers.PATIENCE)],
                               pass_fds=[listener.fileno()], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        assert fastcgi.ask(path, URI, ADMIN).status == 200
    finally:
        process.terminate()
        assert process.wait(60) == 0
    assert os.path.exists(path), "systemd's socket is not ours to remove"


def test_listen_fds_of_another_process_are_none_of_ours(program):
    result = subprocess.run([program], env={"LISTEN_FDS": "1", "LISTEN_PID": "1"}, capture_output=True,
                            stdin=subprocess.DEVNULL, timeout=120)
    assert result.returncode == 2 and b"nothing to listen on" in result.stderr


def test_tcp_serves_as_the_unix_socket_does(start_workers, alone):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    workers = start_workers(alone, listen="127.0.0.1:%d" % port)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(sample.request(flags=0))
        assert b"Status: 200 OK" in connection.makefile("rb").read()
    assert workers.stop() == 0


def reply_to(port, source):
    """All that comes back to a request from this source address; nothing where its connection is cut."""
    with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as connection:
        try:
            connection.sendall(sample.request(flags=0))
            return connection.makefile("rb").read()
        except (ConnectionResetError, BrokenPipeError):
            return b""


def test_over_tcp_only_the_web_servers_of_the_list_are_served(start_workers, alone):
    port = servers.free_port()
    workers = start_workers(alone, listen="127.0.0.1:%d" % port, environment={"FCGI_WEB_SERVER_ADDRS": "::1, 127.0.0.2,192.0.2.1"})
    for _ in range(3):
        assert reply_to(port, "127.0.0.1") == reply_to(port, "127.0.0.3") == b""
        assert b"Status: 200 OK" in reply_to(port, "127.0.0.2")
    assert re.findall(r"a peer of (\S+) is sent away", workers.log()) == ["127.0.0.1", "127.0.0.3"]


def test_many_addresses_that_are_sent_away_are_a_few_lines_and_a_number(start_workers, alone):
    port = servers.free_port()
    workers = start_workers(alone, listen="127.0.0.1:%d" % port, environment={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1"})
    for last in range(2, 52):
        assert reply_to(port, "127.0.0.%d" % last) == b""
    servers.wait_until(lambda: re.search(r"connection_foreign addresses .* sent away: \d+ times more", workers.log()), "the number")
    assert 5 <= len(re.findall(r"a peer of \S+ is sent away", workers.log())) <= 10


def test_the_list_of_web_servers_does_not_concern_unix_sockets(start_workers, alone):
    workers = start_workers(alone, environment={"FCGI_WEB_SERVER_ADDRS": "192.0.2.1"})
    assert fastcgi.ask(workers.socket, URI, ADMIN).status == 200 and "sent away" not in workers.log()


@pytest.mark.parametrize("role", ["--check", "--listen=127.0.0.1:1"])
def test_a_bad_entry_in_the_list_of_web_servers_is_named_at_the_start(program, role):
    result = subprocess.run([program, role, "--database=dbname=x"], env={"FCGI_WEB_SERVER_ADDRS": "127.0.0.1,10.0.0.0/8"},
                            capture_output=True, text=True, timeout=60)
    assert result.returncode == 2 and 'FCGI_WEB_SERVER_ADDRS: "10.0.0.0/8" is no address' in result.stderr
