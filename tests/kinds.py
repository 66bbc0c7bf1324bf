"""How many tests of each kind ran, at the end of every run.

pytest's own last line mixes a thousand tests of pure functions with forty on a real cluster, so a run in
which every test on the cluster was skipped looks as good as one in which they passed. This counts them
apart and names each skipped one with its reason.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence

import pytest

SUBSTRATES = ("real", "cluster")
"""Markers that say what a test runs on; a test with both needs real nodes."""

OUTCOMES = ("passed", "failed", "skipped", "left out")


def kind(item: pytest.Item) -> str:
    """What a test runs on, and whether only `make test-full` runs it."""
    substrate = next((marker for marker in SUBSTRATES if item.get_closest_marker(marker)), "fast")
    return f"{substrate}, full" if item.get_closest_marker("full") else substrate


class Tally:
    """Outcomes by kind. A test counts once: as failed if its set-up, its call or its tear-down failed."""

    def __init__(self) -> None:
        self.kinds: dict[str, str] = {}
        self.outcomes: dict[str, str] = {}
        self.skipped: defaultdict[str, list[str]] = defaultdict(list)

    def pytest_deselected(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self.kinds[item.nodeid] = kind(item)
            self.outcomes[item.nodeid] = "left out"

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.kinds.update((item.nodeid, kind(item)) for item in session.items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.outcomes[report.nodeid] = "failed"
        elif report.skipped:
            self.outcomes[report.nodeid] = "skipped"
            self.skipped[reason(report)].append(report.nodeid)
        elif report.when == "call":
            self.outcomes[report.nodeid] = "passed"

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        terminalreporter.section("kinds of tests")
        for line in self.lines():
            terminalreporter.line(line)

    def lines(self) -> Iterable[str]:
        """The table, then each reason for skipping with the tests it kept from running."""
        counts = Counter((self.kinds.get(test, "fast"), outcome) for test, outcome in self.outcomes.items())
        yield f"{'':<14}" + "".join(f"{outcome:>10}" for outcome in OUTCOMES)
        for each in sorted({kind for kind, _ in counts}):
            yield f"{each:<14}" + "".join(f"{counts[each, outcome]:>10}" for outcome in OUTCOMES)
        for why, tests in self.skipped.items():
            yield f"skipped, {why}:"
            yield from (f"  {test}" for test in tests)


def reason(report: pytest.TestReport) -> str:
    """The words of a skip (file, line, "Skipped: words") or of an expected failure."""
    if isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    return f"expected to fail: {getattr(report, 'wasxfail', '')}"


def pytest_configure(config: pytest.Config) -> None:
    """Take part in the run."""
    config.pluginmanager.register(Tally(), "penstock-tally")
