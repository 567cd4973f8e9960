# SPDX-License-Identifier: MIT
"""Any FastCGI framing that a web server may send is understood, and any other harms nobody."""
import contextlib
import json
import os
import select
import struct
import time

import psycopg
import pytest

import fastcgi
import sample
import servers
from fastcgi import Connection, record
from sample import ADMIN, POLICIES, POLICY, URI

GOOD = sample.parameters()


def still_serves(workers):
    return fastcgi.ask(workers.socket, URI, ADMIN).status == 200


@pytest.mark.parametrize("piece", [1, 2, 7, 8, 100, 65535])
def test_parameters_may_be_split_over_records_anywhere(workers, piece):
    assert fastcgi.ask_parameters(workers.socket, GOOD, piece=piece).status == 200


@pytest.mark.parametrize("size", [1, 3, 8, 50])
def test_records_may_arrive_in_pieces_of_any_size(workers, size):
    with Connection(workers.socket) as connection:
        data = sample.request(body=b"body")
        for at in range(0, len(data), size):
            connection.send(data[at:at + size])
        assert connection.reply().status == 200


def test_a_connection_serves_requests_in_turn_with_any_ids(workers):
    with Connection(workers.socket) as connection:
        for id in (1, 1, 7, 65535, 2):
            assert connection.ask(URI, ADMIN, id=id).status == 200


def test_every_id_from_1_to_65535_is_answered_in_its_turn(workers):
    with Connection(workers.socket) as connection:
        for id in range(1, 65536, 13):
            connection.send(fastcgi.request(fastcgi.parameters("/x/"), id))
            assert connection.reply(id).status == 404


def test_without_keep_conn_the_connection_is_closed_after_the_reply(workers):
    with Connection(workers.socket) as connection:
        assert connection.ask(URI, ADMIN, flags=0).status == 200
        assert connection.is_closed()


def test_the_reply_ends_its_stream_and_comes_in_one_piece(workers):
    with Connection(workers.socket) as connection:
        connection.send(sample.request())
        records = [connection.record() for _ in range(3)]
        assert [kind for kind, _, _ in records] == [fastcgi.STDOUT, fastcgi.STDOUT, fastcgi.END]
        assert records[1][2] == b"" and records[2][2] == bytes(8)


def test_the_next_request_may_come_with_the_last_one(workers):
    with Connection(workers.socket) as connection:
        refused = fastcgi.request(fastcgi.parameters("/x/"))
        connection.send(refused * 20 + sample.request())
        assert [connection.reply().status for _ in range(21)] == [404] * 20 + [200]


def test_the_next_request_on_the_connection_is_served_after_each_refusal(workers):
    with Connection(workers.socket) as connection:
        bad = [fastcgi.parameters("/x/"), [("A\0", "b")], GOOD + [("HTTP_AUTHORIZATION", "")],
               GOOD + [("HTTP_X", "y" * 70000)], GOOD + [("N%d" % n, "") for n in range(200)]]
        for parameters in bad:
            connection.send(fastcgi.request(parameters, body=b"x" * 70000))
            assert connection.reply().status in (400, 404)
            assert connection.ask(URI, ADMIN).status == 200


@pytest.mark.parametrize("bad", [("HTTP_AUTHORIZATION", "Bearer x"), ("X", "\x01")])
def test_head_has_no_body_when_it_is_malformed_either(workers, bad):
    reply = fastcgi.ask_parameters(workers.socket, [("REQUEST_METHOD", "HEAD"), *GOOD[1:], bad])
    assert (reply.status, reply.body) == (400, b"") and int(reply.headers["content-length"]) > 0


def test_a_body_is_read_to_its_end_before_the_answer(workers):
    with Connection(workers.socket) as connection:
        data = sample.request(body=b"x" * 200000)
        connection.send(data[:-8])
        connection.socket.settimeout(0.2)
        with pytest.raises(TimeoutError):
            connection.receive(1)
        connection.socket.settimeout(60)
        connection.send(data[-8:])
        assert connection.reply().status == 200


def test_get_values_names_the_limits_and_leaves_the_unknown_out(workers):
    with Connection(workers.socket) as connection:
        names = ["FCGI_MAX_CONNS", "FCGI_MPXS_CONNS", "FCGI_OTHER", "FCGI_MAX_REQS"]
        connection.send(record(fastcgi.GET_VALUES, fastcgi.pairs((name, "") for name in names), id=0))
        kind, id, content = connection.record()
        known = [("FCGI_MAX_CONNS", "16384"), ("FCGI_MPXS_CONNS", "0"), ("FCGI_MAX_REQS", "1024")]
        assert (kind, id, content) == (fastcgi.GET_VALUES_RESULT, 0, fastcgi.pairs(known))


@pytest.mark.parametrize("kind", [0, 10, 11, 12, 77, 255])
def test_a_management_record_of_unknown_type_is_told_so_and_the_request_goes_on(workers, kind):
    with Connection(workers.socket) as connection:
        data = sample.request()
        connection.send(data[:16] + record(kind, b"?" * 300, id=0, padding=255) + data[16:])
        assert connection.record() == (fastcgi.UNKNOWN_TYPE, 0, bytes([kind]) + bytes(7))
        assert connection.reply().status == 200


@pytest.mark.parametrize("role", [0, 2, 3, 9, 65535])
def test_an_unknown_role_is_refused_and_the_next_request_served(workers, role):
    with Connection(workers.socket) as connection:
        connection.send(fastcgi.begin(5, role=role) + fastcgi.stream(fastcgi.PARAMS, b"x" * 1000, 5) + record(fastcgi.STDIN, id=5))
        assert connection.reply(5).protocol_status == fastcgi.UNKNOWN_ROLE
        assert connection.ask(URI, ADMIN, id=5).status == 200


def test_an_unknown_role_without_keep_conn_is_told_before_the_end(workers):
    with Connection(workers.socket) as connection:
        connection.send(fastcgi.begin(role=2, flags=0) + fastcgi.stream(fastcgi.PARAMS, b"x" * 60000))
        assert connection.reply().protocol_status == fastcgi.UNKNOWN_ROLE and connection.is_closed()


def test_a_second_id_beside_an_open_one_cannot_be_multiplexed(workers):
    with Connection(workers.socket) as connection:
        data = sample.request()
        connection.send(data[:16] + sample.request(id=2) + data[16:])
        assert connection.reply(2).protocol_status == fastcgi.CANT_MPX
        assert connection.reply(1).status == 200


def test_an_aborted_request_is_ended_without_a_reply_and_the_next_is_served(workers):
    with Connection(workers.socket) as connection:
        data = sample.request()
        for cut in (16, len(data) - 8, len(data)):
            connection.send(data[:cut] + record(fastcgi.ABORT))
            reply = connection.reply()
            assert reply.protocol_status == fastcgi.COMPLETE and (cut == len(data) or reply.raw == b"")
        assert connection.ask(URI, ADMIN, id=3).status == 200


@pytest.mark.parametrize("data", [record(fastcgi.PARAMS, b"x" * 100, id=9), record(fastcgi.STDIN, b"", id=9),
                                  record(fastcgi.ABORT, id=9), record(fastcgi.DATA, b"y", id=9, padding=9),
                                  record(77, b"z" * 65535, id=9, padding=255)])
def test_records_of_a_request_that_is_not_open_are_ignored(workers, data):
    with Connection(workers.socket) as connection:
        request = sample.request()
        connection.send(data + request[:16] + data + request[16:])
        assert connection.reply().status == 200


PARAMS_DONE = fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(GOOD))


@pytest.mark.parametrize("data", [
    record(fastcgi.BEGIN, bytes(8), version=2), b"\0" * 100, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    record(fastcgi.BEGIN, bytes(7)), record(fastcgi.BEGIN, bytes(9)), record(fastcgi.BEGIN, b""),
    record(fastcgi.BEGIN, struct.pack(">HB5x", 1, 1), id=0), record(fastcgi.PARAMS, b"", id=0),
    record(fastcgi.GET_VALUES, b"\xff\xff\xff\xff", id=0), record(fastcgi.GET_VALUES, b"x" * 60000, id=0),
    fastcgi.begin() + record(fastcgi.STDIN, b"x"), fastcgi.begin() + record(fastcgi.STDIN), fastcgi.begin() * 2,
    fastcgi.begin() + record(fastcgi.DATA), fastcgi.begin() + record(77), fastcgi.begin() + record(fastcgi.END, bytes(8)),
    PARAMS_DONE + record(fastcgi.PARAMS, b"x"), PARAMS_DONE + record(fastcgi.PARAMS),
    PARAMS_DONE + fastcgi.begin()], ids=range(19))
def test_a_peer_that_breaks_the_protocol_is_closed_and_the_next_one_served(workers, data):
    with Connection(workers.socket) as connection:
        connection.send(data)
        assert connection.is_closed()
    assert still_serves(workers)


@pytest.mark.parametrize("content", [
    b"\xff\xff\xff\xf0\xff\xff\xff\xf0", b"\xbf\xff\xff\xff\x00", b"\x01", b"\x80", b"\x80\x00", b"\x05\x05abc",
    b"\x00\xff\xff\xff\xff", b"\xff\xff\xff\xff\xff\xff\xff\xffAAAA"])
def test_parameter_lengths_beyond_the_end_are_refused(workers, content):
    with Connection(workers.socket) as connection:
        connection.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, content, piece=3) + record(fastcgi.STDIN))
        reply = connection.reply()
        assert reply.status == 400 and json.loads(reply.body) == {"non_field_errors": ["The parameters are malformed."], "code": "invalid"}
        assert connection.ask(URI, ADMIN).status == 200


def resident(pid):
    return int(open("/proc/%d/statm" % pid).read().split()[1]) * 4096


def test_peers_that_stall_hold_up_nobody_and_little_memory(start_workers, alone, program, figure):
    workers = start_workers(alone)
    assert still_serves(workers)
    before = resident(workers.worker_pids()[0])
    header = struct.pack(">BBHHBx", 1, fastcgi.PARAMS, 1, 65535, 255)
    stalled = [Connection(workers.socket) for _ in range(500)]
    for number, connection in enumerate(stalled):
        connection.send(fastcgi.begin() + [b"", header[:5], header, header + b"x" * 65000][number % 4])
    assert still_serves(workers)
    sanitized = 3 if b"libasan" in program.read_bytes() else 1
    figure("memory of a peer that stalls, KiB", (resident(workers.worker_pids()[0]) - before) / 500 / 1024, 66 * sanitized)
    for connection in stalled:
        connection.socket.close()


def test_a_peer_that_never_finishes_its_request_is_closed_in_time(start_workers, alone):
    workers = start_workers(alone, receive_timeout="300ms")
    with Connection(workers.socket) as silent, Connection(workers.socket) as partial, Connection(workers.socket) as idle:
        silent.send(b"\x01")
        partial.send(fastcgi.begin())
        assert silent.is_closed() and partial.is_closed()
        assert idle.ask(URI, ADMIN).status == 200


def test_a_peer_that_makes_progress_outlives_receive_timeout(start_workers, alone):
    workers = start_workers(alone, receive_timeout="1500ms")
    with Connection(workers.socket) as connection:
        body = record(fastcgi.STDIN, b"x" * 1200)
        connection.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(GOOD)))
        for at in range(0, len(body), 200):  # one record, which takes longer than the limit
            connection.send(body[at:at + 200])
            time.sleep(0.35)
        connection.send(record(fastcgi.STDIN))
        assert connection.reply().status == 200
        refused = fastcgi.request(fastcgi.parameters("/x/"))
        connection.send(refused[:20])
        for _ in range(8):  # always in the middle of a request, and never for long
            time.sleep(0.35)
            connection.send(refused[20:] + refused[:20])
            assert connection.reply().status == 404


def test_an_idle_connection_is_closed_after_idle_timeout(start_workers, alone):
    workers = start_workers(alone, idle_timeout="1s")
    with Connection(workers.socket) as connection:
        assert connection.ask(URI, ADMIN).status == 200 and connection.is_closed()


def is_hung_up(connection):
    """Asks without reading a byte."""
    poll = select.poll()
    poll.register(connection.socket, 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def test_a_peer_that_does_not_read_its_reply_is_closed_and_harms_nobody(start_workers, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 4 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own, send_timeout="3s", max_unsent="9MiB")
    with Connection(workers.socket) as deaf, Connection(workers.socket) as another, Connection(workers.socket) as third:
        for connection in (deaf, another):
            connection.send(sample.request())
        assert third.ask(fastcgi.URI.format(POLICIES[1]), ADMIN).status == 200
        assert another.reply().status == 200
        servers.wait_until(lambda: is_hung_up(deaf), "the deaf peer's connection to be closed")


def test_a_peer_that_leaves_in_the_middle_of_its_reply_harms_nobody(start_workers, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 4 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own)
    pids = workers.worker_pids()
    with Connection(workers.socket) as leaving:
        leaving.send(sample.request())
        assert select.select([leaving.socket], [], [], 60)[0]  # its reply has begun, and the rest waits
    assert fastcgi.ask(workers.socket, fastcgi.URI.format(POLICIES[1]), ADMIN).status == 200
    assert workers.worker_pids() == pids


def test_replies_that_nobody_reads_are_held_up_to_max_unsent_and_beyond_it_told_503(start_workers, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('x', 4 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own, max_unsent="6MiB")
    with Connection(workers.socket) as deaf:
        deaf.send(sample.request())
        assert select.select([deaf.socket], [], [], 60)[0]  # its reply has begun, and the rest waits
        refused = fastcgi.ask(workers.socket, URI, ADMIN)
        assert refused.status == 503 and refused.headers["retry-after"] == "1"
        assert fastcgi.ask(workers.socket, fastcgi.URI.format(POLICIES[1]), ADMIN).status == 200
        assert deaf.reply().status == 200
    servers.wait_until(lambda: still_serves(workers), "room for the reply")


def test_a_peer_that_still_writes_after_its_last_reply_is_listened_to_until_send_timeout(start_workers, alone):
    workers = start_workers(alone, max_connections=1, send_timeout="3s")
    with Connection(workers.socket) as one, Connection(workers.socket) as surplus:
        assert one.ask(URI, ADMIN).status == 200
        assert surplus.ask(URI, ADMIN).status == 503 and surplus.is_closed()
        surplus.send(b"x" * 1000)  # closed for good, this would be an error, and could have cost the reply
        servers.wait_until(lambda: is_hung_up(surplus), "the lingering connection to be closed")


def test_a_reply_of_many_records_arrives_whole(start_workers, own):
    own.run("update authentik_policies_event_matcher_eventmatcherpolicy set action = repeat('ä', 2 << 20) where policy_ptr_id = '%s'" % POLICY)
    workers = start_workers(own)
    with Connection(workers.socket) as connection:
        for _ in range(3):
            reply = connection.ask(URI, ADMIN)
            assert json.loads(reply.body)["action"] == "ä" * (2 << 20)
            assert int(reply.headers["content-length"]) == len(reply.body)


def descriptors(pid):
    return len(os.listdir("/proc/%d/fd" % pid))


def test_10_000_clients_that_leave_or_abort_leave_no_descriptor_behind(workers, figure):
    assert still_serves(workers)
    pid = workers.worker_pids()[0]
    before = descriptors(pid)
    for number in range(10000):
        with Connection(workers.socket) as connection:
            connection.send(sample.request() + (record(fastcgi.ABORT) if number % 2 else b""))
    assert still_serves(workers)
    servers.wait_until(lambda: descriptors(pid) <= before, "the descriptors to be closed")
    figure("descriptors that 10,000 clients left behind", descriptors(pid) - before, 0)


def test_more_connections_than_allowed_are_told_503_and_served_again_later(start_workers, alone):
    workers = start_workers(alone, max_connections=2)
    with Connection(workers.socket) as one, Connection(workers.socket) as two:
        assert [connection.ask(URI, ADMIN).status for connection in (one, two)] == [200, 200]
        surplus = fastcgi.ask(workers.socket, URI, ADMIN)
        assert (surplus.status, surplus.headers["retry-after"]) == (503, "1")
    servers.wait_until(lambda: still_serves(workers), "a connection to be given up")


def test_more_requests_than_allowed_are_told_503(start_workers, alone):
    workers = start_workers(alone, max_requests=1)
    with Connection(workers.socket) as one, Connection(workers.socket) as two, psycopg.connect(alone.owner_dsn) as owner:
        owner.execute("lock table authentik_policies_policy")
        one.send(sample.request())
        servers.wait_until(lambda: alone.run("select from pg_locks where not granted"), "the first to wait for the database")
        reply = two.ask(URI, ADMIN)
        assert json.loads(reply.body) == {"detail": "Service temporarily unavailable."} and reply.status == 503
        owner.rollback()
        assert one.reply().status == 200 and two.ask(URI, ADMIN).status == 200


def test_requests_whose_bodies_never_end_hold_up_nobody(start_workers, alone):
    workers = start_workers(alone, max_requests=2)
    with contextlib.ExitStack() as stack:
        for number in range(200):
            drips = stack.enter_context(Connection(workers.socket))
            headers = [("Authorization", "Bearer " + ADMIN)]
            drips.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(fastcgi.parameters(URI, "GET" if number % 2 else "POST", headers))))
            drips.send(record(fastcgi.STDIN, b"x"))
        assert still_serves(workers)
        drips.send(record(fastcgi.STDIN))
        assert drips.reply().status == 200


def test_a_body_that_drips_is_cut_off_after_body_timeout(start_workers, alone):
    workers = start_workers(alone, body_timeout="300ms")
    for method in ("GET", "POST"):
        with Connection(workers.socket) as drips:
            drips.send(fastcgi.begin() + fastcgi.stream(fastcgi.PARAMS, fastcgi.pairs(fastcgi.parameters(URI, method, [("Authorization", "Bearer " + ADMIN)]))))
            with pytest.raises((BrokenPipeError, ConnectionResetError)):
                servers.wait_until(lambda: drips.send(record(fastcgi.STDIN, b"x")), "the connection's end")
