# SPDX-License-Identifier: MIT
"""The source keeps its order: layers, calls, sizes, words, prefixes, headers that stand alone, form, a man page that is true."""
import json
import os
import pathlib
import re
import statistics
import subprocess

import pytest

from servers import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.[ch]"))
HEADERS = [path for path in SOURCES if path.suffix == ".h"]
ORDER = {"base": 0, "events": 0, "settings": 1, "event": 1, "fastcgi": 2, "postgres": 2, "http": 2, "authentik": 3, "api": 4, "pool": 5, "main": 6}
BUILD = pathlib.Path(os.environ.get("EVENT_MATCHER_FCGI", ROOT / "build" / "event-matcher-fcgi")).parent


def name_of(path):
    return str(path.relative_to(ROOT))


def home(path):
    """Its folder; a file that stands directly in src/ is its own."""
    parts = path.relative_to(ROOT / "src").parts
    return parts[0] if len(parts) > 1 else path.stem


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_includes_only_its_own_folder_and_those_below(path):
    for folder in re.findall(r'#include "(\w+)[/.]', path.read_text()):
        assert folder == home(path) or ORDER[folder] < ORDER[home(path)], folder


@pytest.mark.parametrize("path", HEADERS, ids=name_of)
def test_a_header_compiles_alone(path, tmp_path):
    flags = subprocess.run(["pkg-config", "--cflags", "libpq", "yajl", "uuid", "libuv", "fcgi"], check=True,
                           capture_output=True, text=True).stdout.split()
    subprocess.run(["gcc", "-std=gnu11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", *flags,
                    "-I", ROOT / "src", "-I", BUILD / "src", "-x", "c", path], check=True)


def symbols(*options):
    """(file, type, name) of each symbol of our objects, as nm tells them."""
    text = subprocess.run(["nm", "-A", *options, BUILD / "libevent_matcher.a"], check=True, capture_output=True, text=True).stdout
    return re.findall(r":(?:libevent_matcher_a-)?(\w+)\.o:[0-9a-f ]* (\w) (\w+)$", text, re.M)


def test_an_exported_name_starts_with_the_name_of_its_file():
    names = [(file, name) for file, kind, name in symbols("-g", "--defined-only") if not name.startswith("__") and kind in "TDBRC"]
    assert len(names) > 50
    assert [pair for pair in names if not pair[1].startswith(pair[0] + "_")] == []


def uses():
    """Which files use what which others define: {file: set of files}."""
    owners = {name: file for file, kind, name in symbols("-g", "--defined-only") if kind in "TDBRC"}
    edges = {file: set() for file in owners.values()}
    for file, _, name in symbols("-u"):
        if name in owners:
            edges.setdefault(file, set()).add(owners[name])
    return edges


def reached(edges, start):
    """The files that a call from start can end in, itself only where there is a way back."""
    found, left = set(), list(edges[start])
    while left:
        file = left.pop()
        if file not in found:
            found.add(file)
            left += edges.get(file, ())
    return found


def test_no_circle_of_calls_goes_through_several_files():
    edges = uses()
    assert sum(len(used) for used in edges.values()) > 30
    ways = {file: reached(edges, file) for file in edges}
    assert [(a, b) for a in ways for b in ways[a] if a < b and a in ways.get(b, ())] == []


def test_circles_would_be_seen():
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}
    assert reached(edges, "a") == {"b", "c"} and reached(edges, "b") == {"b", "c"} and "d" not in reached(edges, "c")


def functions(*paths):
    """What ctags finds of functions and prototypes: name, path, line, end, signature."""
    text = subprocess.run(["ctags", "--output-format=json", "--language-force=C", "--kinds-C=pf", "--fields=+neS", "-f", "-", *paths],
                          check=True, capture_output=True, text=True).stdout
    return [tag for tag in map(json.loads, text.splitlines()) if "scope" not in tag]


def test_nearly_every_header_has_a_function_that_ctags_finds():
    assert len({tag["path"] for tag in functions(*HEADERS)}) > 0.7 * len(HEADERS) and len(functions(*HEADERS)) > 90


@pytest.mark.parametrize("path", HEADERS, ids=name_of)
def test_every_public_function_has_a_comment(path):
    """Its own, or one that it shares with those that stand right above it."""
    lines, found = path.read_text().splitlines(), functions(path)
    taken = {number for tag in found for number in range(tag["line"], tag.get("end", tag["line"]) + 1)}
    for tag in found:
        above = next(number for number in range(tag["line"] - 1, 0, -1) if number not in taken)
        assert lines[above - 1].endswith("*/"), tag["name"]


def defined():
    return [tag for tag in functions(*SOURCES) if tag["kind"] == "function"]


def percentile_90(numbers):
    return statistics.quantiles(numbers, n=10, method="inclusive")[-1]


def test_functions_are_short():
    lengths = {tag["name"]: tag["end"] - tag["line"] + 1 for tag in defined()}
    assert len(lengths) > 200
    assert statistics.median(lengths.values()) <= 11 and percentile_90(lengths.values()) <= 25
    assert {name: length for name, length in lengths.items() if length > 40} == {}


def test_functions_have_few_parameters():
    counts = [0 if tag["signature"] in ("()", "(void)") else re.sub(r"\([^()]*\)", "", tag["signature"][1:-1]).count(",") + 1
              for tag in defined()]
    assert max(counts) > 4 and percentile_90(counts) <= 4


# The libraries that a folder may use; a file that stands directly in src/ may use none.
LIBRARIES = {"base": (), "fastcgi": ("fcgi", "uv"), "postgres": ("libpq", "uv"), "http": ("uuid", "yajl"),
             "authentik": ("libpq", "uuid"), "api": ("sodium", "uuid", "uv"), "pool": ("seccomp", "uv")}
# What betrays a library: its headers, and its names in our objects.
TRACES = {"libpq": (r"libpq-fe\.h|pg_config.*", r"PQ\w+"), "uv": (r"uv\.h|uv/.*", r"uv_\w+"), "yajl": (r"yajl/.*", r"yajl_\w+"),
          "fcgi": (r"fastcgi\.h|fcgi.*", r"FCG[IX]_\w+"), "uuid": (r"uuid/.*", r"uuid_\w+"), "seccomp": (r"seccomp\.h|linux/seccomp\.h", r"seccomp_\w+"),
          "sodium": (r"sodium\.h|sodium/.*", r"sodium_\w+|crypto_\w+|randombytes_\w+")}
# Words by which a folder would know another's business.
FOREIGN = {"postgres": ["authentik", "policy", "event_matcher", "superuser", "token", "caller", "permission"],
           "authentik": ["http", "header", "status code", "fcgi"]}


def folder_of(path):
    return path.relative_to(ROOT / "src").parts[0]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_file_uses_only_the_libraries_of_its_folder(path):
    headers = re.findall(r"^#include <(.*)>", path.read_text(), re.M)
    calls = [name for file, _, name in symbols("-u") if path.suffix == ".c" and file == path.stem]
    used = {library for library, (header, call) in TRACES.items()
            if any(re.fullmatch(header, name) for name in headers) or any(re.fullmatch(call, name) for name in calls)}
    assert used <= set(LIBRARIES.get(folder_of(path), ()))


@pytest.mark.parametrize("folder", FOREIGN)
def test_a_folder_knows_no_word_of_anothers_business(folder):
    lines = [(name_of(path), number, line.lower()) for path in sorted((ROOT / "src" / folder).rglob("*.[ch]"))
             for number, line in enumerate(path.read_text().splitlines(), 1)]
    assert len(lines) > 100 and [line for line in lines if any(word in line[2] for word in FOREIGN[folder])] == []


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_the_second_line_of_a_file_says_its_purpose_in_a_sentence_of_at_most_90_columns(path):
    first, second = path.read_text().splitlines()[:2]
    sentence = re.fullmatch(r"/\* ([A-Z\d\"].*\.) \*/", second)
    assert first == "/* SPDX-License-Identifier: MIT */" and sentence, second
    assert len(sentence[1]) <= 90 and ". " not in sentence[1]


def test_the_code_has_the_form_that_clang_format_gives_it():
    files = SOURCES + sorted((ROOT / "tests").rglob("*.[ch]"))
    result = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[:2000]


def tracked():
    text = subprocess.run(["git", "-c", "safe.directory=*", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in text.splitlines()]


def test_every_source_file_names_its_licence_at_its_head():
    kinds = {".c", ".h", ".py", ".sql", ".conf", ".sh", ".am", ".ac", ".yaml"}
    wrong = [path for path in tracked() if path.suffix in kinds and "SPDX-License-Identifier: MIT" not in
             "".join(path.read_text().splitlines()[:2])]
    assert wrong == []


def settings():
    """Name, default and help of each, with what the row's RESTART adds."""
    rows = re.findall(r'^SETTING\((\w+),\s*\w+,\s*"([^"]*)",[^"]*\b(RELOAD|RESTART),\s*"([^"]*)"\)$',
                      (ROOT / "src/settings.def").read_text(), re.M)
    return [(name, default, text + "; kept until a restart" * (change == "RESTART")) for name, default, change, text in rows]


def test_help_and_the_man_page_name_every_setting_with_its_default(program):
    text = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    man = (BUILD / "event-matcher-fcgi.conf.5").read_text()
    assert len(settings()) == (ROOT / "src/settings.def").read_text().count("\nSETTING(") > 15
    for name, default, line in settings():
        assert "  --%s=%s\n        %s\n" % (name.replace("_", "-"), default or "...", line) in text
        assert ".It Cm %s Pq default: %s\n%s.\n" % (name, default or "none", line[0].upper() + line[1:]) in man


def test_help_and_the_man_page_name_the_options_long_and_short(program):
    text = subprocess.run([program, "-h"], capture_output=True, text=True, check=True).stdout
    man = (BUILD / "event-matcher-fcgi.8").read_text()
    for letter, name in (("h", "help"), ("V", "version")):
        assert "  -%s, --%s " % (letter, name) in text
        assert ".It Fl %s , Fl Fl %s\n" % (letter, name) in man


def test_the_man_page_names_no_setting_that_is_not_there():
    man = (BUILD / "event-matcher-fcgi.conf.5").read_text()
    assert re.findall(r"^\.It Cm (\w+) Pq default", man, re.M) == [name for name, _, _ in settings()]


@pytest.mark.parametrize("page", ["event-matcher-fcgi.8", "event-matcher-fcgi.conf.5"])
def test_the_man_pages_are_well_formed(page):
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", BUILD / page], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_readme_is_short_and_names_files_that_exist():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 200
    for path in re.findall(r"`((?:src|sql|nginx|tests|scripts|docs)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
