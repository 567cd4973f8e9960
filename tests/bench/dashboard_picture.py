# SPDX-License-Identifier: MIT
"""Draws docs/dashboard.svg, or the files named (.svg, .png): the panels of docs/grafana.json over a minute of a real pool, to which
a few things happen."""
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import threading
import time

import psycopg

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "system"))
import dashboard  # noqa: E402
import fastcgi  # noqa: E402
import sample  # noqa: E402
import servers  # noqa: E402

SECONDS, WIDTH, HEADING, LINE = 70, 1320, 28, 30  # of the run; pixels: the picture, a row's heading, a unit of the grid's height
COLOURS = ["#3a76af", "#d98032", "#519e3e", "#b83a3a", "#8d69b8", "#84584e", "#d57dbe", "#7f7f7f"]
UNITS = {"s": (1000, "ms"), "percentunit": (100, "%"), "bytes": (1 / 1048576, "MiB"), "reqps": (1, "a second"), "ops": (1, "a second"), "short": (1, "")}


def ask(socket, ends, generator):
    """One client: a question, a short rest, the next one; it comes back where it was sent away."""
    while time.monotonic() < ends:
        try:
            with fastcgi.Connection(socket) as connection:
                while time.monotonic() < ends:
                    key, _, _ = sample.batch(generator, 1)[0]
                    connection.ask(fastcgi.URI.format(generator.choice(sample.ASKED)), key)
                    time.sleep(generator.expovariate(30))
        except (OSError, EOFError):
            time.sleep(0.05)


def hold(server, seconds):
    with psycopg.connect(server.dsn()) as lock:
        lock.execute("lock table authentik_policies_policy in access exclusive mode")
        time.sleep(seconds)
        lock.rollback()


def kill_a_worker(workers):
    subprocess.run(["kill", "-KILL", str(workers.worker_pids()[0])], check=True)


def restart(server):
    server.stop()
    time.sleep(3)
    server.start_again()


def run(server, workers):
    """What happens, by the second in which it does."""
    began = time.monotonic()
    clients = [threading.Thread(target=ask, args=(workers.socket, began + SECONDS, random.Random(number))) for number in range(24)]
    for client in clients:
        client.start()
    for second, act in ((15, lambda: kill_a_worker(workers)), (25, lambda: hold(server, 2.5)),
                        (35, lambda: server.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'event_matcher'")),
                        (45, lambda: workers.process.send_signal(signal.SIGHUP)), (52, lambda: restart(server))):
        time.sleep(max(0, began + second - time.monotonic()))
        act()
    for client in clients:
        client.join()


def escaped(text):
    return text.replace("\\", "\\\\").replace('"', '\\"')


def curves(prometheus, panel, start, server):
    """(name, [(second, value)]) of each line in which anything happens; what is always zero would only fill the legend."""
    found = []
    for target in panel["targets"]:
        for labels, values in prometheus.ask_range(dashboard.expression(target["expr"], "5s"), start, start + SECONDS):
            labels = {label: value.replace(str(server.directory), "/run/postgresql") for label, value in labels.items()}
            found.append((dashboard.name_of(target["legendFormat"], labels), [(at - start, value) for at, value in values if value == value]))
    moving = [(name, values) for name, values in found if any(value for _, value in values)]
    return sorted(moving or found[:1], key=lambda curve: -max((value for _, value in curve[1]), default=0))[:8]


def frame(panel, top, height):
    """Where a panel is, as gnuplot has it: in shares of the picture, from below."""
    place = panel["gridPos"]
    return "set origin %g,%g\nset size %g,%g\n" % (place["x"] / 24, 1 - (top + place["h"] * LINE) / height, place["w"] / 24, place["h"] * LINE / height)


def chart(panel, lines, number):
    factor, unit = UNITS[panel["fieldConfig"]["defaults"]["unit"]]
    blocks = ["$data_%d_%d << end\n%s\nend\n" % (number, at, "\n".join("%g %g" % (x, y * factor) for x, y in values) or "0 0")
              for at, (_, values) in enumerate(lines)]
    plots = ['$data_%d_%d with lines lw 1.6 lc rgb "%s" title "%s"' % (number, at, COLOURS[at], escaped(name)) for at, (name, _) in enumerate(lines)]
    return "".join(blocks), 'set title "%s%s"\nplot %s\n' % (escaped(panel["title"]), ", " + unit if unit and unit not in panel["title"] else "", ", ".join(plots))


def heights(panels):
    """How far from the top each panel begins, and the height of all, with a heading for each row."""
    tops, top, below, y = {}, 0, 0, -1
    for panel in panels:
        if panel["gridPos"]["y"] != y:
            top, y = below, panel["gridPos"]["y"]
        tops[panel["id"]] = top
        below = max(below, top + (HEADING if panel["type"] == "row" else panel["gridPos"]["h"] * LINE))
    return tops, below


def told(panel, name, values):
    """What a stat shows: the series' name where that says all, else its value, too."""
    if panel["options"]["textMode"] == "name":
        return name
    value = values[-1][1]
    return "%s: %s" % (name, time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(value / 1000)) if value > 1e12 else "yes" if value else "no")


def label(text, x, y, size):
    return 'set label "%s" at screen %g,%g font "sans-serif,%d"\n' % (escaped(text), x, y, size)


def draw(prometheus, start, server, path):
    panels = dashboard.DASHBOARD["panels"]
    tops, height = heights(panels)
    data, plots, labels = "", "", ""
    for panel in panels:
        top = tops[panel["id"]]
        if panel["type"] == "row":
            labels += label(panel["title"], 0.01, 1 - (top + HEADING * 0.6) / height, 14)
            continue
        lines = curves(prometheus, panel, start, server)
        if panel["type"] == "stat":
            for row, (text, size) in enumerate([(panel["title"], 11), *((told(panel, name, values), 13) for name, values in lines)]):
                labels += label(text, panel["gridPos"]["x"] / 24 + 0.02, 1 - (top + (0.7 + 0.9 * row) * LINE) / height, size)
            continue
        block, plot = chart(panel, lines, panel["id"])
        data += block
        plots += frame(panel, top, height) + plot + "unset label\n"  # what is placed on the picture is drawn with the first one
    head = """set terminal %s size %d,%d font "sans-serif,11" background "white" noenhanced
set output "%s"
set key below maxrows 4 samplen 1.5 font ",10"
set xrange [0:%d]
set yrange [0:*]
set grid
set offsets 0,0,graph 0.08,0
set title offset 0,-0.6
set lmargin 7
set rmargin 2
""" % ("pngcairo" if path.suffix == ".png" else "svg", WIDTH, height, path, SECONDS)
    subprocess.run(["gnuplot"], input=data + head + "set multiplot\n" + labels + plots + "unset multiplot\n", text=True, check=True)


def main():
    directories = [servers.make_directory() for _ in range(3)]
    program, port, started = directories[0] / "event-matcher-fcgi", servers.free_port(), []
    shutil.copy(ROOT / "build" / "event-matcher-fcgi", program)
    program.chmod(0o755)
    try:
        server = servers.Postgres(directories[1])
        started.append(server)
        for name in ("schema.sql", "sample.sql", "role.sql"):
            server.load(ROOT / "sql" / name, "postgres")
        workers = servers.Workers(program, directories[0], server.dsn(user="event_matcher"), workers=2, max_requests=8, request_timeout="1s",
                                  lock_timeout="5s", statement_timeout="5s", database_wait="500ms", metrics_listen="127.0.0.1:%d" % port)
        started.append(workers)
        prometheus = dashboard.Prometheus(directories[2], port)
        started.append(prometheus)
        servers.wait_until(lambda: prometheus.ask("event_matcher_resident_memory_bytes"), "the first scrape")
        start = time.time()
        run(server, workers)
        for path in map(pathlib.Path, sys.argv[1:] or [ROOT / "docs" / "dashboard.svg"]):
            draw(prometheus, start, server, path)
    finally:
        for process in reversed(started):
            process.stop()
        for path in directories:
            shutil.rmtree(path)


if __name__ == "__main__":
    main()
