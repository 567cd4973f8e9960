# SPDX-License-Identifier: MIT
"""The kept inputs of the fuzz targets harm nothing, and reach nearly every line of what reads a stranger's bytes."""
import importlib.util

import pytest

from servers import ROOT

SPEC = importlib.util.spec_from_file_location("fuzz", ROOT / "tests" / "fuzz" / "fuzz.py")
fuzz = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(fuzz)


@pytest.fixture(scope="module")
def covered(tmp_path_factory):
    """Replayed with AddressSanitizer and UndefinedBehaviorSanitizer: a report of either ends the replay, and so the test."""
    directory = tmp_path_factory.mktemp("fuzz")
    programs = fuzz.build(directory)
    return fuzz.coverage(programs, fuzz.replay(programs, directory))


@pytest.mark.parametrize("name", fuzz.PARSERS)
def test_the_kept_inputs_reach_the_lines_of_the_parser(covered, name):
    print("%s: %.1f %% of its lines (at least %d)" % (name, covered[name], fuzz.LEAST))
    assert covered[name] >= fuzz.LEAST


def test_every_target_has_inputs_that_it_starts_from():
    assert sorted(path.name for path in fuzz.CORPUS.iterdir()) == fuzz.TARGETS and len(fuzz.TARGETS) >= 6
    assert [target for target in fuzz.TARGETS if len(list((fuzz.CORPUS / target).iterdir())) < 20] == []
