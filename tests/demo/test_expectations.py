"""What the demo's exit code stands on: each expectation fails when, and only when, it is broken."""

from dataclasses import replace

import pytest

from sandbox.demo.account import Requests
from sandbox.demo.expectations import Interruption, Outcome, broken
from sandbox.demo.measure import Measured
from sandbox.demo.releases import RELEASES
from sandbox.demo.summary import notes, row

GOOD, BAD, INTERRUPTED = RELEASES

STEPPED = Measured(
    steps=(1, 3, 5, 10), exposure=((1, 1), (3, 3), (5, 5), (10, 10)), fewest_ready=8, most_pods=13, crashes=0
)
STOPPED = Measured(steps=(1,), exposure=((1, 1),), fewest_ready=10, most_pods=11, crashes=2)
DEATH = Interruption(open=True, step=3, sizes=frozenset({3}), renewed=False, seconds=10.1)

good = Outcome(GOOD, STEPPED, 60.0, Requests(2400, {}))
bad = Outcome(BAD, STOPPED, 20.0, Requests(800, {"refused": 9, "cut": 1}))
interrupted = Outcome(INTERRUPTED, STEPPED, 70.0, Requests(2800, {}), interruption=DEATH)


@pytest.mark.parametrize("outcome", [good, bad, interrupted])
def test_a_release_as_it_should_be_breaks_nothing(outcome: Outcome) -> None:
    """Also at the very bounds: 8 Ready, 13 in all."""
    assert broken(outcome) == ()
    assert broken(replace(outcome, requests=None)) == ()


@pytest.mark.parametrize(
    ("outcome", "sentence"),
    [
        (replace(good, trouble="v2 is on all pods: not within 240 s"), "v2: v2 is on all pods: not within 240 s"),
        (
            replace(good, measured=replace(STEPPED, steps=(1, 5, 10))),
            "v2: reached 1, 5, 10 new pods, expected 1, 3, 5, 10",
        ),
        (
            replace(good, measured=replace(STEPPED, exposure=((1, 2), (3, 3), (5, 6), (10, 10)))),
            "v2: 2 new pods where 1 were allowed, 6 new pods where 5 were allowed",
        ),
        (replace(good, measured=replace(STEPPED, fewest_ready=7)), "v2: only 7 pods were Ready, the floor is 8"),
        (replace(good, measured=replace(STEPPED, most_pods=14)), "v2: 14 pods in all, the cap is 13"),
        (
            replace(good, requests=Requests(2400, {"refused": 1})),
            "v2: 1 requests failed (1 refused), at most 0 may",
        ),
        (replace(good, requests=Requests(1900, {})), "v2: only 1900 requests were sent in 60 s"),
        (replace(bad, measured=replace(STOPPED, steps=(1, 3))), "v3: reached 1, 3 new pods, expected 1"),
        (replace(bad, measured=replace(STOPPED, crashes=0), requests=None), "v3: its pods never crashed"),
        (
            replace(bad, requests=Requests(800, {"refused": 47})),
            "v3: 47 requests failed (47 refused), at most 46 may",
        ),
        (replace(interrupted, interruption=None), "v4: the controller was not killed in an open window"),
        (
            replace(interrupted, interruption=replace(DEATH, open=False)),
            "v4: the controller was not killed in an open window",
        ),
        (
            replace(interrupted, interruption=replace(DEATH, renewed=True)),
            "v4: the controller's lease was renewed after it was killed",
        ),
        (
            replace(interrupted, interruption=replace(DEATH, sizes=frozenset({3, 4}))),
            "v4: the window was for 3 new pods; with the controller dead there were 3, 4",
        ),
        (replace(interrupted, interruption=replace(DEATH, seconds=4.0)), "v4: watched for 4.0 s only"),
    ],
)
def test_what_does_not_hold_is_said_in_one_sentence(outcome: Outcome, sentence: str) -> None:
    """Each break is found, and found once."""
    assert broken(outcome) == (sentence,)


def test_the_summary_shows_what_was_allowed_beside_what_was() -> None:
    """A number without its bound says nothing."""
    assert row(good) == (
        "v2, good",
        "on all pods",
        "1, 3, 5, 10",
        "1/1  3/3  5/5  10/10",
        "8",
        "13",
        "0 of 2400 (0)",
        "60 s",
    )
    assert row(bad)[:4] == ("v3, bad", "taken back", "1", "1/1")
    assert row(bad)[6] == "10 of 800 (46)"
    assert row(replace(interrupted, trouble="x"))[:2] == ("v4, interrupted", "stuck")


def test_simulated_pods_are_not_said_to_have_lost_nothing() -> None:
    """No traffic was measured, so neither a number nor a bound is shown."""
    assert row(replace(bad, requests=None))[6] == "not measured"
    assert notes([replace(good, requests=None), replace(bad, requests=None)]) == []


def test_the_notes_derive_the_bound_and_tell_of_the_death() -> None:
    """The bound has to be checkable by hand."""
    first, second = notes([good, bad, interrupted])
    assert first == (
        "Bound of v3: 2 crashes, each at most 4 s in the Service without answering (kubelet 1 s, probe 1 s, "
        "kube-proxy 2 s), one pod of 11, 40 requests/s, and three standard deviations: 46."
    )
    assert second == (
        "In v4 the controller was dead for 10 s (at least 10) with the window for 3 new pods open; "
        "new pods meanwhile: 3."
    )
