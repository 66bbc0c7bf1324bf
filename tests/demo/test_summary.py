"""The tables at the end and the words beside them: no number without its bound, none computed that looks measured."""

import io
from dataclasses import replace

import pytest
from rich.console import Console
from rich.table import Table

from sandbox.demo.expectations import Outcome
from sandbox.demo.notes import notes
from sandbox.demo.summary import cost, costs, row, table
from sandbox.demo.timer import Spell
from tests.demo.outcomes import crash, errors, good, interrupted, slow

ALL = [good, errors, slow, crash, interrupted]


def printed(shown: Table) -> str:
    console = Console(width=80, file=io.StringIO(), record=True)
    console.print(shown)
    return console.export_text()


def test_the_first_table_shows_what_was_allowed_beside_what_was() -> None:
    """A number without its bound says nothing."""
    assert row(good) == ("v2, good", "all pods", "1, 3, 5, 10", "1/1 3/3 5/5 10/10", "8", "13", "90 s")
    assert row(crash) == ("v5, crashes", "taken back", "1", "1/1", "10", "11", "20 s")
    assert row(replace(interrupted, trouble="x"))[:2] == ("v6, interrupted", "stuck")


def test_the_second_table_shows_what_the_decision_cost_and_what_a_timer_would_have() -> None:
    """Measured left, computed right: 7 and, of 7.1 requests a second for another 284.5 s, 5 % make 108."""
    assert [cost(outcome) for outcome in ALL] == [
        ("v2, good", "0 of 7200 (0)", "all steps", "75 s", "0 failed", "900 s, 0 failed"),
        ("v3, 5 % errors", "7 of 2400 (21)", "errors", "16 s", "7 failed", "300 s, 108 failed"),
        ("v4, slow tail", "0 of 3600 (0)", "slow", "32 s", "14 slow", "300 s, 110 slow"),
        ("v5, crashes", "10 of 1600 (82)", "Crashed", "16 s", "10 failed", "300 s, 30 failed"),
        ("v6, interrupted", "0 of 8000 (0)", "all steps", "75 s", "0 failed", "900 s, 0 failed"),
    ]


def test_simulated_pods_are_not_said_to_have_lost_nothing() -> None:
    """No traffic was measured, so neither a number nor a bound is shown, and nothing is computed from it."""
    unmeasured = [replace(outcome, requests=None, spell=None) for outcome in (good, crash)]
    assert [cost(outcome) for outcome in unmeasured] == [
        ("v2, good", "not measured", "all steps", "75 s", "", ""),
        ("v5, crashes", "not measured", "Crashed", "16 s", "", ""),
    ]
    assert notes(unmeasured) == []


def test_a_release_that_is_stuck_has_a_row_as_well() -> None:
    """That is when somebody reads the table most carefully."""
    stuck = replace(errors, measured=replace(errors.measured, decided=None, verdict=""), spell=None, trouble="x")
    assert cost(stuck) == ("v3, 5 % errors", "7 of 2400 (21)", "?", "", "", "")


@pytest.mark.parametrize("made", [table, costs])
def test_both_tables_fit_into_80_columns(made: object) -> None:
    """With numbers as large as they get: nothing is cut off and no cell is broken."""
    assert callable(made)
    large = [replace(outcome, seconds=9 * outcome.seconds) for outcome in ALL]
    text = printed(made(large))
    assert max(map(len, text.splitlines())) <= 80
    assert "…" not in text
    cells = row if made is table else cost
    for outcome in large:
        line = next(line for line in text.splitlines() if line.startswith(cells(outcome)[0]))
        assert [cell for cell in cells(outcome) if cell not in line] == []


def told(outcome: Outcome) -> list[str]:
    return notes([outcome])


TIMER = (
    "The timer was not run. It stays 300 s at each step and then takes the release back if more than 1% of the new "
    "pods' requests in the last 60 s were bad. Its column takes the new pod to go on as it did in this run, at a share "
    "of bad requests that runs high: it was measured until a verdict."
)


def test_the_notes_derive_the_bounds_and_the_computed_numbers() -> None:
    """All of it has to be checkable by hand."""
    assert told(good) == [TIMER]
    assert told(errors) == [
        "Bound of v3: 5% of the requests to one pod of 11 in 30 s at 80 requests/s, and three standard deviations: 21.",
        TIMER,
        "v3 with the same rule looked at as soon as 60 s are full: 23 failed.",
    ]
    assert told(slow) == [
        TIMER,
        "v4 with the same rule looked at as soon as 60 s are full: 24 slow, that is not answered within 250 ms.",
    ]
    assert told(crash) == [
        "Bound of v5: 2 crashes, each at most 4 s in the Service without answering (kubelet 1 s, probe 1 s, "
        "kube-proxy 2 s), one pod of 11, 80 requests/s, and three standard deviations: 82.",
        TIMER,
        "v5 crashes at the kubelet's pace (restarted at once, then after 10, 20, 40 … s), not at a rate; the timer is "
        "credited with taking it back for not being Ready.",
    ]


def test_the_notes_tell_of_the_death() -> None:
    """The table cannot show that nothing happened."""
    assert told(replace(interrupted, spell=None)) == [
        "In v6 the controller was dead for 10 s (at least 10) with the window for 3 new pods open; "
        "new pods meanwhile: 3."
    ]


def test_a_release_that_the_timer_lets_pass_is_said_to_pass() -> None:
    """The cost is then that of all steps, and it is not over: 2 in 32 s are 19 in 300 s, with 1, 3 and 5 pods 169."""
    outcome = replace(slow, spell=Spell(32.0, 230, 230, 2))
    assert cost(outcome)[-1] == "900 s, 169 slow"
    assert told(outcome)[1:] == ["The timer would not have caught v4: 0.9% bad is not over its threshold."]
