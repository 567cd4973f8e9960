# SPDX-License-Identifier: MIT
"""Turns what was measured into Markdown tables and SVG plots, fills them into a page, compares two runs."""
import datetime
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
MARK = "<!-- benchmark -->"


def output_of(*command):
    result = subprocess.run(command, capture_output=True, text=True)
    return (result.stdout + result.stderr).strip().splitlines()[0]


def machine():
    """The machine's kind in one line."""
    cpu = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())
    cores = len(re.findall(r"^processor", open("/proc/cpuinfo").read(), re.M))
    memory = int(re.search(r"MemTotal: +(\d+)", open("/proc/meminfo").read()).group(1)) >> 20
    versions = (output_of("nginx", "-v").split("/")[-1], re.search(r"[\d.]+", output_of("pgbench", "--version")).group(0))
    return "%d cores (%s), %d GB, Linux %s, nginx %s, PostgreSQL %s" % (
        (cores, cpu.group(1) if cpu else platform.machine(), memory, platform.release().split("-")[0]) + versions)


def shown(value):
    return "%.0f" % value if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def table(rows):
    """rows: (what, (median, low, high), unit, good, to reach); the last two may be empty."""
    lines = ["| measured | ours | 95 % | good | to reach |", "| --- | --- | --- | --- | --- |"]
    for what, (median, low, high), unit, good, reach in rows:
        spread = "%s–%s" % (shown(low), shown(high)) if low != high else ""
        lines.append("| %s | %s%s | %s | %s | %s |" % (what, shown(median), unit, spread, good, reach))
    return "\n".join(lines)


def plot(bars, path, title):
    """Horizontal bars with their intervals, the first on top; bars: (label, (median, low, high)) in thousands a second."""
    data = "\n".join('%d "%s  %s" %g %g %g' % (len(bars) - at, label, shown(median), median, low, high)
                     for at, (label, (median, low, high)) in enumerate(bars))
    script = """set terminal svg size 860,%d font "sans-serif,13" background "white"
set output "%s"
set title "%s"
set style fill solid 0.6 noborder
set key off
set xrange [0:*]
set yrange [0.3:%g]
set xlabel "requests a second, thousands"
set grid xtics
$data << end
%s
end
plot $data using (0):1:(0):3:($1-0.35):($1+0.35):ytic(2) with boxxyerror lc rgb "#3a76af", \\
     $data using 3:1:4:5 with xerrorbars pt 0 lc rgb "#222222"
""" % (90 + 30 * len(bars), path, title, len(bars) + 0.7, data)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def share_table(shares):
    """shares: what -> who -> microseconds a request."""
    who = list(next(iter(shares.values())))
    lines = ["| CPU a request, µs | " + " | ".join(who) + " | all |", "| --- |" + " --- |" * (len(who) + 1)]
    for what, found in shares.items():
        lines.append("| %s | %s | %.1f |" % (what, " | ".join("%.1f" % found[name] for name in who), sum(found.values())))
    return "\n".join(lines)


def share_plot(shares, path):
    """The same as one stacked bar for each."""
    who = list(next(iter(shares.values())))
    data = "\n".join('"%s" %s' % (what, " ".join("%g" % found[name] for name in who)) for what, found in shares.items())
    columns = ", ".join('$data using %d%s title "%s"' % (at + 2, ":xtic(1)" if at == 0 else "", name) for at, name in enumerate(who))
    script = """set terminal svg size 860,420 font "sans-serif,13" background "white"
set output "%s"
set title "Where a request's CPU goes, microseconds over both cores, 64 clients"
set style data histograms
set style histogram rowstacked
set style fill solid 0.7 noborder
set boxwidth 0.7
set key outside right
set yrange [0:*]
set grid ytics
$data << end
%s
end
plot %s
""" % (path, data, columns)
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def heading():
    return "%s, on %s." % (datetime.date.today().isoformat(), machine())


def section(title, sentence, figures):
    return "### %s\n\n%s\n\n%s\n" % (title, sentence, figures)


def fill(path, text):
    """Puts a text between the two marks of a page."""
    before, _, after = path.read_text().split(MARK)
    path.write_text(MARK.join([before, "\nMeasured " + heading() + "\n\n" + text + "\n", after]))


def disagreements(figures, others):
    """Of two runs' title -> what -> (median, low, high), the lines whose intervals do not overlap; and how many both have."""
    both = [(title, what, mine, others[title][what]) for title in figures for what, mine in figures[title].items()
            if mine[1] != mine[2] and what in others.get(title, {})]
    return ["%s, %s: %s–%s here, %s–%s there" % (title, what, *map(shown, (*mine[1:], *other[1:])))
            for title, what, mine, other in both if mine[2] < other[1] or other[2] < mine[1]], len(both)
