# SPDX-License-Identifier: MIT
"""docs/operations.md says what is so: its tests are there, its texts are in the sources, and no fault is without a row."""
import os
import re

import pytest

import fastcgi
import pools
import sample
import servers
from openloop import Busy
from sample import ADMIN, URI

TEXT = (servers.ROOT / "docs" / "operations.md").read_text()
# Literals that C joins, and what printf puts in, left out.
SOURCES = re.sub(r'"\s*(?:PRI\w+)?\s*"', "", "\n".join(path.read_text() for path in sorted((servers.ROOT / "src").rglob("*.[ch]"))))

# What the document must have a row for: the fault, and the tests that provoke it.
FAULTS = [
    ("a worker is killed", "test_workers_killed_under_load_lose_no_request_behind_nginx_as_shipped"),
    ("the same behind a bare fastcgi_pass", "test_a_worker_killed_behind_a_bare_fastcgi_pass_loses_only_what_it_had"),
    ("a worker is stopped", "test_a_worker_that_is_stopped_under_load_loses_no_request", "test_a_worker_that_hangs_is_replaced"),
    ("a worker crashes at each start", "test_a_worker_that_crashes_at_each_start_costs_few_forks_and_lines"),
    ("the supervisor is killed", "test_a_pool_whose_supervisor_is_killed_leaves_no_orphan_and_frees_the_socket_at_once"),
    ("a drain under load, and a second SIGTERM", "test_two_pools_are_replaced_one_after_the_other_without_a_lost_request",
     "test_a_second_sigterm_ends_a_busy_pool_at_once"),
    ("reloads in a row", "test_reloads_in_a_row_lose_no_request"),
    ("a reload with a mistake", "test_a_reload_with_a_fault_in_the_settings_leaves_all_as_it_was"),
    ("an upgrade, and one that fails", "test_an_upgrade_in_place_loses_no_request", "test_an_upgrade_that_fails_changes_nothing"),
    ("sessions are ended", "test_backends_killed_each_200_ms_cost_no_request"),
    ("PostgreSQL restarts", "test_restarts_cost_no_request",
     "test_a_session_that_is_being_opened_when_database_wait_is_over_still_serves"),
    ("a backend is killed", "test_a_killed_backend_and_its_recovery_cost_no_request"),
    ("PostgreSQL is down", "test_a_server_that_is_down_for_ten_seconds"),
    ("PostgreSQL comes later", "test_a_start_before_the_server_serves_soon_after_it"),
    ("a backend or the server stands still", "test_a_backend_and_a_postmaster_that_stand_still_cost_their_own_requests_only"),
    ("a standby is promoted", "test_a_standby_that_is_promoted_serves_at_once"),
    ("the first host is silent", "test_only_the_first_request_pays_for_a_silent_first_server"),
    ("a conflict with recovery", "test_a_conflict_with_recovery_is_no_error"),
    ("errors by SQLSTATE", "test_an_error_of_the_database_is_told_by_its_class_and_nothing_else"),
    ("200 slow requests", "test_of_200_slow_requests_a_bounded_number_waits_and_the_others_are_told_503_at_once"),
    ("the listen queue is full", "test_a_full_listen_queue_is_no_end_and_soon_over"),
    ("no descriptors", "test_without_descriptors_a_worker_rests_and_recovers"),
    ("no memory", "test_with_64_mib_of_memory_each_reply_is_whole_or_503", "test_an_allocation_that_fails_while_it_serves_costs_no_half_reply",
     "test_a_start_in_which_any_one_allocation_fails_serves_or_says_why_not"),
    ("the log: no room, no reader, no standard error", "test_a_log_that_cannot_be_written_costs_no_request",
     "test_a_log_that_nobody_reads_holds_up_nobody"),
    ("slow peers", "test_500_stuck_peers_hold_up_nobody_and_a_bounded_memory"),
    ("clients that leave", "test_10_000_clients_that_leave_or_abort_leave_no_descriptor_behind"),
    ("clocks", "test_a_clock_that_jumps_costs_no_request", "test_a_day_without_a_request_costs_none"),
    ("a long run", "test_a_short_soak_loses_nothing_and_leaves_nothing_open"),
    ("malformed records", "test_a_peer_that_breaks_the_protocol_is_closed_and_the_next_one_served",
     "test_records_of_a_request_that_is_not_open_are_ignored", "test_an_unknown_role_is_refused_and_the_next_request_served",
     "test_a_management_record_of_unknown_type_is_told_so_and_the_request_goes_on"),
    ("lengths of parameters", "test_lengths_of_2_gib_allocate_nothing"),
    ("ids of requests", "test_a_second_id_beside_an_open_one_cannot_be_multiplexed",
     "test_100_000_requests_with_each_id_in_turn_get_their_own_replies"),
    ("bad ids", "test_the_last_segment_is_a_uuid_in_one_of_its_forms", "test_a_bad_uuid_or_key_costs_no_query"),
    ("odd paths", "test_nginx_haproxy_and_a_direct_request_agree_on_every_path"),
    ("NUL, controls, parameters twice", "test_ambiguous_or_malformed_parameters_are_refused"),
    ("line ends and escapes", "test_what_a_client_or_the_database_says_is_one_line_of_the_log_and_no_header"),
    ("bad keys", "test_a_bad_authorization_is_told_what_is_wrong_with_it", "test_a_bad_uuid_or_key_costs_no_query"),
    ("parameters as variables", "test_no_parameter_reaches_the_environment_or_the_connection_string"),
    ("methods and bodies", "test_10_000_requests_of_any_method_and_body_stay_in_step"),
    ("odd queries", "test_whatever_is_asked_the_database_sees_the_same_statements"),
    ("any bytes", "test_the_kept_inputs_reach_the_lines_of_the_parser"),
]


def rows():
    """Those of the faults: who is woken at night has a table of their own (test_night.py), the events another (test_events.py)."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in re.findall(r"^\| .*\|$", TEXT.split("## Watching it")[1].split("## Events")[0], re.M)
            if not line.startswith(("| ---", "| what breaks"))]


def named(cell):
    return re.findall(r"`(tests/system/\w+\.py)::(test_\w+)`", cell)


# The document
def test_every_row_of_the_document_has_five_cells_and_a_test_that_is_there():
    assert len(rows()) >= 50 and [row for row in rows() if len(row) != 5 or not named(row[4])] == []
    assert [name for row in rows() for path, name in named(row[4]) if "\ndef %s(" % name not in (servers.ROOT / path).read_text()] == []


def test_what_the_log_says_stands_in_the_sources():
    texts = {text for row in rows() for text in re.findall(r"`([^`]+)`", row[2])} - {"debug"}
    assert len(texts) > 20 and sorted(text for text in texts if text.rstrip() not in SOURCES) == []


@pytest.mark.parametrize("fault", FAULTS, ids=[fault[0] for fault in FAULTS])
def test_no_fault_is_without_a_row(fault):
    provoked = {name for row in rows() for _, name in named(row[4])}
    assert len(FAULTS) == 40 and len(fault) > 1 and [name for name in fault[1:] if name not in provoked] == []


# What no other file provokes
@pools.BUSY
@pytest.mark.parametrize("kind", ["full", "closed"])
def test_a_log_that_cannot_be_written_costs_no_request(start_workers, alone, figure, kind, busy):
    """A closed descriptor's number is that of the next one opened: a line of the log is not to land in a connection."""
    closed = ["sh", "-c", 'exec "$@" 2>&-', "sh"] if kind == "closed" else []
    with open("/dev/full", "w") as full, Busy(busy):
        workers = start_workers(alone, workers=2, prefix=closed, stderr_to=full, log_level="debug", slow_request="1ms")
        statuses = [fastcgi.ask(workers.socket, URI, ADMIN).status for _ in range(300)]
    outputs = {os.readlink("/proc/%d/fd/2" % pid) for pid in (workers.pid, *workers.worker_pids())}
    assert outputs == {"/dev/null" if kind == "closed" else "/dev/full"}
    figure("log %s: failed of 300" % kind, 300 - statuses.count(200), 0)


def test_10_000_requests_of_any_method_and_body_stay_in_step(workers, figure):
    lies = [("CONTENT_LENGTH", "0"), ("CONTENT_LENGTH", "99999999"), ("CONTENT_LENGTH", "-1"), ("CONTENT_LENGTH", "")]
    kinds = [("GET", 200), ("HEAD", 200), ("POST", 405), ("FOO", 405), ("OPTIONS", 204)]
    wrong = 0
    with fastcgi.Connection(workers.socket) as connection:
        for number in range(10000):
            method, status = kinds[number % 5]
            given = fastcgi.parameters(URI, method, sample.KEY) + lies[number % 4:number % 4 + number % 2]
            connection.send(fastcgi.request(given, 1 + number, body=b"x" * (number % 7 * 1000)))
            reply = connection.reply(1 + number)
            wrong += reply.status != status or (status == 405 and b'\\"%s\\"' % method.encode() not in reply.body)
    figure("mixed requests of 10,000 that are out of step", wrong, 0)
