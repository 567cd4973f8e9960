# SPDX-License-Identifier: MIT
"""The source keeps its order: layers, prefixes, headers that stand alone, form, licences, a man page that is true."""
import os
import pathlib
import re
import subprocess

import pytest

from servers import ROOT

SOURCES = sorted((ROOT / "src").rglob("*.[ch]"))
HEADERS = [path for path in SOURCES if path.suffix == ".h"]
ORDER = {"base": 0, "settings": 1, "fastcgi": 2, "postgres": 2, "http": 2, "authentik": 3, "api": 4, "pool": 5, "main": 6}
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


def exported():
    symbols = subprocess.run(["nm", "-g", "--defined-only", "-A", BUILD / "libevent_matcher.a"], check=True,
                             capture_output=True, text=True).stdout
    return re.findall(r":(?:libevent_matcher_a-)?(\w+)\.o:[0-9a-f]* [TDBRC] (\w+)$", symbols, re.M)


def test_an_exported_name_starts_with_the_name_of_its_file():
    names = [(file, symbol) for file, symbol in exported() if not symbol.startswith("__")]
    assert len(names) > 50
    allowed = {}
    assert [pair for pair in names if not pair[1].startswith(allowed.get(pair[0], (pair[0] + "_",)))] == []


@pytest.mark.parametrize("path", HEADERS, ids=name_of)
def test_every_public_function_has_a_comment(path):
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if re.match(r"^(?!static|typedef|struct \w+ \{|enum|#|\t| |/|\}|DEFINE).*\w\(", line):
            above = next(text for text in reversed(lines[:number]) if not re.match(r"^(void|int|bool|size_t) \w+\(.*;$|^\t", text))
            assert above.endswith("*/"), line


def test_the_code_has_the_form_that_clang_format_gives_it():
    files = SOURCES + sorted((ROOT / "tests").rglob("*.[ch]"))
    result = subprocess.run(["clang-format-14", "--dry-run", "-Werror", *files], capture_output=True, text=True, cwd=ROOT)
    assert result.returncode == 0, result.stderr[:2000]


def tracked():
    text = subprocess.run(["git", "-c", "safe.directory=*", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in text.splitlines()]


def test_every_source_file_names_its_licence_and_then_its_purpose():
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
    man = (BUILD / "event-matcher-fcgi.8").read_text()
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
    man = (BUILD / "event-matcher-fcgi.8").read_text()
    assert re.findall(r"^\.It Cm (\w+) Pq default", man, re.M) == [name for name, _, _ in settings()]


def test_the_man_page_is_well_formed():
    result = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", BUILD / "event-matcher-fcgi.8"], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_the_readme_is_short_and_names_files_that_exist():
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 200
    for path in re.findall(r"`((?:src|sql|nginx|tests|scripts|docs)/[\w./-]*)`", text):
        assert (ROOT / path).exists(), path
