#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds the fuzz targets with clang, runs them, and says which lines of the parsers the kept corpus reaches.

Every target is a file beside this one and a folder of corpus/, whose inputs it starts from. What a run finds new stays in
the build directory; --keep takes into the corpus what reaches more, each input as short as what else reaches it."""
import argparse
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
CORPUS = ROOT / "tests" / "fuzz" / "corpus"
TARGETS = sorted(path.stem for path in (ROOT / "tests" / "fuzz").glob("*.c"))
# What turns a stranger's bytes into something, or keeps it: at least so much of each file's lines is to be reached.
PARSERS = ["base/option_file.c", "base/option_row.c", "base/option_words.c", "base/slice.c", "base/store.c", "base/value.c", "fastcgi/allowed.c", "fastcgi/framing.c",
           "fastcgi/record.c", "http/fields.c", "http/head.c", "http/request.c", "http/route.c",
           "postgres/conninfo.c", "settings.c"]
LEAST = 90  # per cent
NEEDED = PARSERS + ["base/buffer.c", "base/clock.c", "base/debounce.c", "base/log.c", "base/log_line.c", "base/metric.c", "base/nearest.c", "base/option.c",
                    "event.c", "fastcgi/address.c", "fastcgi/listener.c", "fastcgi/socket_file.c", "fastcgi/peer.c", "fastcgi/server.c", "http/json.c", "http/status.c"]
FLAGS = ["-std=gnu11", "-D_GNU_SOURCE", "-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined",
         "-fno-sanitize-recover=all", "-fprofile-instr-generate", "-fcoverage-mapping", "-I", ROOT / "src",
         "-DPACKAGE_NAME=\"fuzz\"", "-DPACKAGE_VERSION=\"0\""]
LIBRARIES = ["fcgi", "yajl", "libpq", "uuid", "libuv"]
# An input that takes a second, or much memory for its size, is a finding too.
LIMITS = ["-timeout=5", "-rss_limit_mb=2048", "-malloc_limit_mb=64"]


def packages(option):
    return subprocess.run(["pkg-config", option, *LIBRARIES], check=True, capture_output=True, text=True).stdout.split()


def call(*arguments, environment=None, **options):
    """Runs a program, whose output is shown only where it fails."""
    result = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace", env={**os.environ, "LLVM_PROFILE_FILE": "/dev/null", **(environment or {})}, **options)
    if result.returncode:
        sys.exit("%s: exit %s\n%s" % (" ".join(map(str, arguments)), result.returncode, result.stdout[-20000:]))
    return result.stdout


def two_at_once(function, things):
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        return list(pool.map(function, things))


def build(directory):
    """The targets' programs, by name."""
    directory.mkdir(parents=True, exist_ok=True)
    flags = FLAGS + packages("--cflags")

    def compile_source(name):
        built = directory / (name.replace("/", "-") + ".o")
        call("clang-14", *flags, "-fsanitize=fuzzer-no-link", "-c", ROOT / "src" / name, "-o", built)
        return built

    objects = two_at_once(compile_source, NEEDED)

    def link(target):
        call("clang-14", *flags, "-fsanitize=fuzzer", ROOT / "tests" / "fuzz" / (target + ".c"), *objects, "-o",
             directory / target, *packages("--libs"))

    two_at_once(link, TARGETS)
    return {target: directory / target for target in TARGETS}


def replay(programs, directory):
    """Runs every kept input once, and returns the profile of what they reached."""

    def run(target):
        call(programs[target], *LIMITS, "-runs=0", CORPUS / target, environment={"LLVM_PROFILE_FILE": str(directory / (target + ".raw"))},
             cwd=directory)
        return directory / (target + ".raw")

    profiles = two_at_once(run, TARGETS)
    call("llvm-profdata-14", "merge", "-sparse", *profiles, "-o", directory / "profile")
    return directory / "profile"


def coverage(programs, profile):
    """How many per cent of each parser's lines were reached."""
    first, *others = programs.values()
    output = call("llvm-cov-14", "export", "-summary-only", first, *(word for other in others for word in ("-object", other)),
                  "-instr-profile=%s" % profile, *(ROOT / "src" / name for name in PARSERS))
    files = json.loads(output)["data"][0]["files"]
    return {str(pathlib.Path(file["filename"]).relative_to(ROOT / "src")): file["summary"]["lines"]["percent"] for file in files}


def fuzz(programs, directory, seconds):
    """Runs each target for so long, two at once, from the kept inputs on."""

    def run(target):
        (directory / "new" / target).mkdir(parents=True, exist_ok=True)
        output = call(programs[target], *LIMITS, "-max_total_time=%d" % seconds, "-max_len=4096", "-use_value_profile=1",
                      "-print_final_stats=1", directory / "new" / target, CORPUS / target, cwd=directory)
        runs = [line.split()[-1] for line in output.splitlines() if "number_of_executed_units" in line]
        print("fuzz: %-12s %10s inputs in %d s, nothing found" % (target, runs[0], seconds), flush=True)

    two_at_once(run, TARGETS)


def keep(programs, directory):
    """The fewest inputs, of the kept and the new, that reach all that they reach together."""
    for target in TARGETS:
        merged = directory / "merged" / target
        shutil.rmtree(merged, ignore_errors=True)
        merged.mkdir(parents=True)
        call(programs[target], "-set_cover_merge=1", merged, directory / "new" / target, CORPUS / target, cwd=directory)
        shutil.rmtree(CORPUS / target)
        shutil.copytree(merged, CORPUS / target)
        print("fuzz: %-12s keeps %d inputs" % (target, len(list(merged.iterdir()))))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", help="where the program is built; the targets go beside it")
    parser.add_argument("--seconds", type=int, default=60, help="for each target")
    parser.add_argument("--keep", action="store_true", help="then take what reaches more into the corpus")
    given = parser.parse_args()
    directory = given.build.resolve() / "fuzz"
    programs = build(directory)
    fuzz(programs, directory, given.seconds)
    if given.keep:
        keep(programs, directory)


if __name__ == "__main__":
    main()
