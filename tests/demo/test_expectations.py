"""What the demo's exit code stands on: each expectation fails when, and only when, it is broken."""

from dataclasses import replace

import pytest

from sandbox.demo.account import Requests
from sandbox.demo.expectations import Outcome, broken
from sandbox.demo.timer import Spell
from tests.demo.outcomes import DEATH, STEPPED, STOPPED, crash, errors, good, interrupted, slow


@pytest.mark.parametrize("outcome", [good, errors, slow, crash, interrupted])
def test_a_release_as_it_should_be_breaks_nothing(outcome: Outcome) -> None:
    """Also at the very bounds: 8 Ready, 13 in all; also where nothing could be measured."""
    assert broken(outcome) == ()
    assert broken(replace(outcome, requests=None, spell=None)) == ()


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
            replace(good, requests=Requests(7200, {"refused": 1})),
            "v2: 1 requests failed (1 refused), at most 0 may",
        ),
        (replace(good, requests=Requests(5700, {})), "v2: only 5700 requests were sent in 90 s"),
        (
            replace(good, measured=replace(STEPPED, verdict="SlowRose: slow: x")),
            "v2: blamed although it is good: SlowRose: slow: x",
        ),
        (replace(errors, spell=Spell(15.5, 110, 140, 0)), "v3: none of its answers was bad"),
        (
            replace(errors, requests=Requests(2400, {"500": 22})),
            "v3: 22 requests failed (22 500), at most 21 may",
        ),
        (
            replace(errors, requests=Requests(2400, {"500": 7, "refused": 1})),
            "v3: 1 requests got no answer though no pod crashed",
        ),
        (
            replace(errors, measured=replace(STOPPED, verdict="SlowRose: slow: new 3/20")),
            "v3: taken back without blaming its 5 % errors: SlowRose: slow: new 3/20",
        ),
        (replace(errors, measured=STOPPED), "v3: taken back without blaming its 5 % errors: no reason"),
        (
            replace(errors, measured=replace(errors.measured, steps=(1, 3))),
            "v3: reached 1, 3 new pods, expected 1",
        ),
        (replace(slow, spell=Spell(32.0, 230, 280, 0)), "v4: none of its answers was bad"),
        (
            replace(slow, measured=replace(STOPPED, verdict="ErrorsRose: errors: new 3/20")),
            "v4: taken back without blaming its slow tail: ErrorsRose: errors: new 3/20",
        ),
        (replace(slow, requests=Requests(3600, {"500": 1})), "v4: 1 requests failed (1 500), at most 0 may"),
        (replace(crash, measured=replace(crash.measured, steps=(1, 3))), "v5: reached 1, 3 new pods, expected 1"),
        (replace(crash, measured=replace(crash.measured, crashes=0), requests=None), "v5: its pods never crashed"),
        (
            replace(crash, requests=Requests(1600, {"refused": 83})),
            "v5: 83 requests failed (83 refused), at most 82 may",
        ),
        (replace(interrupted, interruption=None), "v6: the controller was not killed in an open window"),
        (
            replace(interrupted, interruption=replace(DEATH, open=False)),
            "v6: the controller was not killed in an open window",
        ),
        (
            replace(interrupted, interruption=replace(DEATH, renewed=True)),
            "v6: the controller's lease was renewed after it was killed",
        ),
        (
            replace(interrupted, interruption=replace(DEATH, sizes=frozenset({3, 4}))),
            "v6: the window was for 3 new pods; with the controller dead there were 3, 4",
        ),
        (replace(interrupted, interruption=replace(DEATH, seconds=4.0)), "v6: watched for 4.0 s only"),
    ],
)
def test_what_does_not_hold_is_said_in_one_sentence(outcome: Outcome, sentence: str) -> None:
    """Each break is found, and found once."""
    assert broken(outcome) == (sentence,)
