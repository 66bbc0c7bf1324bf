"""Bars are read from the sentence that people read; a change of its words must not empty them unnoticed."""

import pytest

from penstock.cli.gauges import Gauge, bar, gauges
from penstock.core import sentences
from penstock.core.counters import Count
from penstock.core.verdict import Numbers

HEAD = "step 1 of 3: 1 of 10 pods run the new version, judged until 17:17:08 UTC at the latest"
NUMBERS = Numbers(10.0, 100.0, 4.472135955, 20.0, Count(118, 3), Count(2305, 8), 1.1)


def test_both_bars_of_a_check_that_waits_are_read() -> None:
    """Half-way means the square root: evidence multiplies."""
    text = "errors: " + sentences.undecided(NUMBERS, 41, 0.1)
    head, (errors,) = gauges(f"{HEAD}; {text}", ["errors"])
    assert head == HEAD
    assert (errors.check, errors.against, errors.proof) == ("errors", 0.5, pytest.approx(0.5, abs=0.01))
    assert errors.counts.startswith("new 3/118 (2.5%) vs old 8/2305 (0.35%)")
    assert "evidence" not in errors.counts


def test_a_check_that_passes_has_its_bar_full() -> None:
    """It is safe, so nothing is missing."""
    text = "slow: " + sentences.safe(Numbers(1.0, 100.0, 25.0, 20.0, Count(9, 0), Count(9, 0)))
    _, (slow,) = gauges(f"{HEAD}; {text}", ["slow"])
    assert (slow.against, slow.proof) == (None, 1.0)


def test_checks_are_told_apart_also_by_the_words_between_them() -> None:
    """A sentence has a semicolon of its own."""
    errors = "errors: " + sentences.undecided(NUMBERS, 41, 0.1)
    slow = "slow: new pods are warming up"
    head, found = gauges(f"{HEAD}; {errors}; {slow}", ["errors", "limit.queue", "slow"])
    assert head == HEAD
    assert [g.check for g in found] == ["errors", "slow"]
    assert found[1] == Gauge("slow", "new pods are warming up")


def test_a_message_without_checks_stays_whole() -> None:
    """Also where checks are configured and nothing was said of them yet."""
    assert gauges(HEAD, ["errors"]) == (HEAD, ())
    assert gauges("step 1 of 3: errors: new 5/9; taken back", ["errors"])[1] == ()


def test_only_a_whole_bar_is_full() -> None:
    """Nearly enough is not enough."""
    assert [bar(share).count("█") for share in (0.0, 0.5, 0.999, 1.0)] == [0, 6, 11, 12]
