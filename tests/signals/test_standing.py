"""Series of rollouts end with them, are no more than so many, and follow what the checks are now."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from controller.standing import Standing
from controller.telemetry import Telemetry
from controller.web.board import Board
from penstock import clock
from penstock.clock import CLOCK
from penstock.core.decide import decide
from penstock.core.decision import Decision
from penstock.core.observation import Observation
from penstock.core.reasons import Reason
from penstock.core.record import Record
from penstock.core.rollout import Phase
from penstock.core.verdict import State, Verdict
from penstock.signals import instruments
from tests.core.seen import observation
from tests.core.shop import NOW, record

WEB = ("shop", "web")


class Shown:
    """A registry, and what stands in it."""

    def __init__(self, most: int = 500) -> None:
        self.registry, self.now = CollectorRegistry(), NOW
        self.standing = Standing(self.registry, most, clock=lambda: self.now)

    def look(self, known: Record, place: tuple[str, str] = WEB, **changes: object) -> Decision:
        """One look at a rollout."""
        seen: Observation = observation(known)
        decision = replace(decide(seen), **changes)  # type: ignore[arg-type]  # the tests' own fields
        self.standing.decided(place, seen, known, decision)
        return decision

    def value(self, name: str, **labels: str) -> float | None:
        """A number of shop/web, None where there is none."""
        labels = {"namespace": "shop", "name": "web", **labels}
        return self.registry.get_sample_value(f"penstock_{name}", labels)

    @property
    def places(self) -> set[str]:
        """Whose series there are."""
        return {s.labels["name"] for f in self.registry.collect() for s in f.samples if "name" in s.labels}


def test_a_rollout_shows_where_it_stands() -> None:
    """The numbers that alerts compare: exposed with allowed, paused with the plan."""
    shown = Shown()
    shown.look(record(since=NOW - 90))
    shown.now += 30

    expected = {
        "rollout_step": 1,
        "rollout_steps": 3,
        "rollout_exposed_pods": 1,
        "rollout_allowed_pods": 1,
        "rollout_exposed_ratio": 0.1,
        "rollout_allowed_ratio": 0.1,
        "rollout_paused_seconds": 120,
        "rollout_longest_stay_seconds": 600,
        "rollout_window_open_seconds": None,
    }
    assert {name: shown.value(name) for name in expected} == expected
    assert shown.value("rollout_phase", phase="Holding") == 1
    assert shown.value("rollout_phase", phase="Rejected") == 0


def test_an_open_window_has_an_age_and_no_pause() -> None:
    """A window stays open for some hundred milliseconds; one that does not end is an alert."""
    shown = Shown()
    shown.look(record(since=NOW - 90))
    shown.look(record(Phase.OPENING, since=NOW - 5))
    shown.now += 2

    assert (shown.value("rollout_window_open_seconds"), shown.value("rollout_paused_seconds")) == (7, None)


def test_a_pause_before_the_first_window_counts_from_when_it_was_seen() -> None:
    """Nothing in the cluster says when it began, and a preflight may hold a rollout there for days."""
    shown = Shown()
    shown.look(record(Phase.PENDING))
    shown.now += 40

    assert shown.value("rollout_paused_seconds") == 40


def test_only_the_present_reason_is_shown() -> None:
    """An alert on a former one would never end."""
    shown = Shown()
    shown.look(record(), reason=Reason.JUDGING)
    shown.look(record(), reason=Reason.INCONCLUSIVE)

    values = [shown.value("rollout_reason", reason=reason) for reason in ("Judging", "Inconclusive")]
    assert values == [None, 1]


def test_nothing_is_left_of_a_rollout_that_is_over() -> None:
    """Else every scrape would carry all rollouts that ever were."""
    shown = Shown()
    before = instruments.exposition(shown.registry)
    shown.look(record())
    shown.standing.judged(WEB, [Verdict("errors", State.PASS, "")])
    shown.standing.forget(WEB)

    assert instruments.exposition(shown.registry) == before


def test_a_check_that_was_taken_out_of_the_plan_has_no_series_any_more() -> None:
    """Its last word would be read as the present one."""
    shown = Shown()
    shown.standing.judged(WEB, [Verdict("errors", State.NO_SERIES, ""), Verdict("slow", State.PASS, "")])
    shown.standing.judged(WEB, [Verdict("slow", State.PASS, "")])

    states = [shown.value("check_state", check=check, state="Pass") for check in ("errors", "slow")]
    assert states == [None, 1]


@pytest.mark.parametrize("most", [1, 2])
def test_of_a_mass_release_only_so_many_rollouts_have_series(most: int) -> None:
    """How many are left out is a number of its own; when one ends, another has its place at its next look."""
    shown = Shown(most)
    for name in ("web", "api", "cart"):
        shown.look(record(), ("shop", name))
    unlisted = shown.registry.get_sample_value("penstock_rollouts_unlisted")
    listed = shown.places
    shown.standing.forget(WEB)
    shown.look(record(), ("shop", "cart"))

    assert (len(listed), unlisted) == (most, 3 - most)
    assert (len(shown.places), "cart" in shown.places) == (most, True)


def test_ages_are_by_the_clock_that_records_are_written_by(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server's: with a clock of our own ten minutes ahead, every window would have been open for ten minutes,
    and an alert would say so."""
    monkeypatch.setattr(CLOCK, "ahead", -600.0)
    assert abs(Telemetry().standing._clock() - clock.now()) < 5
    assert abs(Board().clock() - clock.now()) < 5
