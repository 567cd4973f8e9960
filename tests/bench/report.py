# SPDX-License-Identifier: MIT
"""What was measured, as Markdown tables and SVG plots; compares two runs."""
import dataclasses
import datetime
import itertools
import pathlib
import platform
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPONENTS = ("nginx", "worker", "PostgreSQL", "client")
COLOURS = ("#3a76af", "#59a14f", "#e1812c", "#bbbbbb")
WIDEST = 0.08  # the interval of two equal pools in a table that is not called noisy


@dataclasses.dataclass
class Row:
    what: str
    figure: tuple  # median, and the ends of its 95 % interval
    unit: str = ""
    reach: float = None  # the target, if there is one
    below: bool = False  # at most that, and not at least

    def reached(self):
        return self.figure[0] <= self.reach if self.below else self.figure[0] >= self.reach


@dataclasses.dataclass
class Table:
    title: str
    sentence: str
    workers: int
    rows: list
    same: list  # of the A/A: what, and the interval of our pool's share of an equal one's
    shares: dict = None  # what -> column -> figure
    bars: list = None  # of a plot: label, and figure in thousands a second

    def noisy(self):
        return any(high - low > WIDEST or not low <= 1 <= high for _, (_, low, high) in self.same)


def tables_of(stored):
    """The tables of a run's JSON."""
    return [Table(**{**table, "rows": [Row(**row) for row in table["rows"]]}) for table in stored]


def clients_text(count):
    return "1 client" if count == 1 else "%d clients" % count


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


def heading(rounds):
    return "Measured %s, on %s; %s." % (datetime.date.today().isoformat(), machine(), rounds)


def shown(value):
    return format(round(value), ",") if value >= 100 else "%.1f" % value if value >= 10 else "%.2f" % value


def spread(figure):
    return "%s–%s" % (shown(figure[1]), shown(figure[2])) if figure[1] != figure[2] else ""


def limit(row):
    return "%s %s%s" % ("≤" if row.below else "≥", format(row.reach, ",") if row.reach >= 1000 else "%g" % row.reach, row.unit)


def grid(head, lines):
    return "\n".join("| %s |" % " | ".join(map(str, line)) for line in (head, ["---"] * len(head), *lines))


def rows_text(rows):
    return grid(["measured", "found", "95 %"], [(row.what, shown(row.figure[0]) + row.unit, spread(row.figure)) for row in rows])


def shares_text(shares):
    columns = list(next(iter(shares.values())))
    return grid(["", *columns], [[what, *(shown(found[column]) for column in columns)] for what, found in shares.items()])


def same_text(table):
    """The A/A in a sentence."""
    if not table.same:
        return ""
    return " Ours / an equal pool of ours: %s." % "; ".join("%s %s (%s)" % (what, shown(figure[0]), spread(figure) or "one round") for what, figure in table.same)


def section(table):
    """A table under its heading, which says how many workers ours has, and whether the run was too noisy to tell."""
    count = "%d worker%s" % (table.workers, "s" * (table.workers != 1))
    parts = ["### %s (%s%s)" % (table.title, count, ", noisy" * table.noisy()), table.sentence + same_text(table)]
    parts += [shares_text(table.shares)] if table.shares else []
    return "\n\n".join([*parts, rows_text(table.rows)]) + "\n"


def targets(tables):
    """Every target, with what was found."""
    rows = [(row, table) for table in tables for row in table.rows if row.reach is not None]
    lines = [(row.what, limit(row), shown(row.figure[0]) + row.unit, spread(row.figure),
              ("yes" if row.reached() else "no") + ", noisy" * table.noisy()) for row, table in rows]
    return "### Targets\n\n" + grid(["measured", "to reach", "found", "95 %", "reached"], lines) + "\n"


def page(head, tables):
    """All of a run's tables."""
    return head + "\n\n" + "\n".join([targets(tables), *map(section, tables)])


def plot(tables, directory):
    for table in tables:
        if table.bars:
            plot_bars(table, directory / "benchmark.svg")
        if table.shares:
            plot_shares(table, directory / "shares.svg")


BARS = """set terminal svg size 860,%(height)d font "sans-serif,13" background "white"
set output "%(path)s"
set title "%(title)s"
set style fill solid 0.7 noborder
set key outside bottom center horizontal samplen 2 width -1
set bmargin 6
set xrange [0:*]
set yrange [0.3:%(count)g.7]
set xlabel "%(unit)s"
set grid xtics
$data << end
%(data)s
end
plot %(plots)s
"""


def draw(path, title, unit, lines, plots):
    """Horizontal bars, a line of data each, the first on top; a line: its label, and the numbers that plots use from column 3 on."""
    data = "\n".join('%d "%s" %s' % (len(lines) - at, label, " ".join("%g" % number for number in numbers)) for at, (label, numbers) in enumerate(lines))
    script = BARS % {"path": path, "title": title, "unit": unit, "data": data, "plots": ", ".join(plots), "count": len(lines),
                     "height": 150 + 30 * len(lines)}
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def box(begin, end, colour, title=""):
    """From one column to another."""
    return "$data using 3:1:%s:%s:($1-0.35):($1+0.35):ytic(2) with boxxyerror lc rgb '%s' title '%s'" % (begin, end, colour, title)


def plot_bars(table, path):
    """How much is answered, with its interval; ours in another colour than what it is compared with."""
    lines = [("%s  %s" % (label, shown(figure[0])), (*figure, label.startswith("ours"))) for label, figure in table.bars]
    plots = [box("(0)", "($6 == 1 ? $3 : 1/0)", "#3a76af", "ours"), box("(0)", "($6 == 1 ? 1/0 : $3)", "#999999", "compared with"),
             "$data using 3:1:4:5 with xerrorbars pt 0 lc rgb '#222222' notitle"]
    draw(path, "64 clients, nginx before all, everything on one machine; ours with %d workers" % table.workers, "requests a second, thousands", lines, plots)


def plot_shares(table, path):
    """Who spends a request's CPU: the ends of each part, one behind the other."""
    lines = [("%s  %s" % (what, shown(found["all"])), list(itertools.accumulate(found[name] for name in COMPONENTS))) for what, found in table.shares.items()]
    ends = ["(0)", *("%d" % (at + 3) for at in range(len(COMPONENTS)))]
    plots = [box(ends[at], ends[at + 1], COLOURS[at], name) for at, name in enumerate(COMPONENTS)]
    draw(path, "The same rate for all: CPU a request; ours with %d workers" % table.workers, "microseconds", lines, plots)


def figures_of(tables):
    """title -> what -> figure."""
    return {table.title: {row.what: row.figure for row in table.rows} for table in tables}


def disagreements(tables, others):
    """The lines of two runs whose intervals do not overlap; and how many both have."""
    mine, theirs = figures_of(tables), figures_of(others)
    both = [(title, what, figure, theirs[title][what]) for title in mine for what, figure in mine[title].items()
            if figure[1] != figure[2] and what in theirs.get(title, {})]
    return ["%s, %s: %s here, %s there" % (title, what, spread(figure), spread(other))
            for title, what, figure, other in both if figure[2] < other[1] or other[2] < figure[1]], len(both)
