"""What `penstock backtest` says of its trials."""

from penstock.cli.backtest import lines, summary
from penstock.core.backtest import Trial
from penstock.core.verdict import Together

GOOD = [Trial(f"web-{n}", 1_800_000_000.0, Together.ADVANCE, 60.0 + n, 3) for n in range(9)]
FALSE = Trial("web-9", 1_800_000_000.0, Together.ROLLBACK, 30.0, 1, "errors: new 9/100 (9.0%) vs old 1/900 (0.11%)")
CUT = Trial("web-0", 1_800_090_000.0, None, 20.0, 1)


def test_false_alarms_are_counted_and_named() -> None:
    """A trial that the history cut off counts neither way."""
    assert lines([*GOOD, FALSE, CUT]) == [
        "10 releases that changed nothing, each with another pod as the new one:",
        "  promoted                   9   90.0 %",
        "  taken back                 1   10.0 %",
        "  held                       0    0.0 %",
        "  held for an incident       0    0.0 %",
        "A good release would have taken 1m4s in the median, 1m7s at 90 %.",
        "False alarm: web-9 at 08:00:00 UTC: errors: new 9/100 (9.0%) vs old 1/900 (0.11%)",
    ]
    assert summary([*GOOD, FALSE, CUT])["false rollback rate"] == 0.1


def test_without_a_whole_trial_it_says_so() -> None:
    """No percentage of nothing."""
    assert lines([CUT]) == ["The history is too short for a whole release; more --hours, or wait."]
    assert summary([])["false rollback rate"] is None
