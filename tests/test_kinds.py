"""The count at the end of a run is what tells a green run from one that skipped the cluster."""

import pytest

SUITE = """
import pytest

def test_pure(): pass

@pytest.mark.full
def test_long(): pass

@pytest.mark.cluster
def test_on_the_cluster(): pass

@pytest.mark.cluster
def test_broken(): assert False

@pytest.mark.cluster
@pytest.mark.real
def test_on_real_nodes(): pytest.skip("needs root")

@pytest.fixture
def untidy():
    yield
    raise RuntimeError("left something behind")

def test_that_does_not_clean_up(untidy): pass
"""

MARKERS = "[pytest]\nmarkers =\n    cluster\n    real\n    full\n"


def table(result: pytest.RunResult) -> list[str]:
    """The lines under the headline, up to pytest's next section."""
    lines = result.outlines
    begin = next(number for number, line in enumerate(lines) if "kinds of tests" in line) + 1
    end = next(number for number, line in enumerate(lines[begin:], begin) if line.startswith("="))
    return lines[begin:end]


def test_each_test_counts_once_under_what_it_runs_on(pytester: pytest.Pytester) -> None:
    """A tear-down that fails makes the test failed, not passed and failed; deselected ones are seen too."""
    pytester.makeini(MARKERS)
    pytester.makepyfile(test_suite=SUITE)

    result = pytester.runpytest_subprocess("-p", "tests.kinds", "-m", "not full")

    assert table(result) == [
        "                  passed    failed   skipped  left out",
        "cluster                1         1         0         0",
        "fast                   1         1         0         0",
        "fast, full             0         0         0         1",
        "real                   0         0         1         0",
        "skipped, needs root:",
        "  test_suite.py::test_on_real_nodes",
    ]
