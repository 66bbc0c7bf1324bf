"""When the story takes a release for finished: were it too early, the next one would meet an active rollout."""

from dataclasses import replace

import pytest

from penstock.core.rollout import Phase
from sandbox.demo.account import Account
from sandbox.demo.history import Cluster, Deployment, Fact, Pod, ReplicaSet
from sandbox.demo.interruption import filled, window_or_end
from sandbox.demo.measure import Measured
from sandbox.demo.releases import RELEASES, Fault, Release
from sandbox.demo.story import Told, outcomes, runs, spell, taken_back
from sandbox.demo.timer import Spell
from sandbox.demo.traffic import Count, Failure

GOOD, BAD, *_, INTERRUPTED = RELEASES
DONE = Deployment("v2", paused=False, complete=True)
REJECTED = Deployment("v3", paused=True, complete=False, rollout="rejected", phase=Phase.REJECTED)
READY = Pod("v2", ready=True, going=False, crashes=0)


def cluster(deployment: Deployment, *pods: Pod, **sizes: int) -> Cluster:
    facts: list[Fact] = [deployment, *pods, *(ReplicaSet(version, n) for version, n in sizes.items())]
    return Cluster(facts={(type(fact), str(i)): fact for i, fact in enumerate(facts)})


def test_a_release_runs_when_nothing_of_the_rollout_is_left() -> None:
    """All pods, no record, no label, no pod of another version."""
    assert runs(GOOD)(cluster(DONE, *[READY] * 10, v1=0, v2=10))


@pytest.mark.parametrize(
    "now",
    [
        cluster(replace(DONE, version="v1"), *[READY] * 10, v2=10),
        cluster(replace(DONE, complete=False), *[READY] * 10, v2=10),
        cluster(replace(DONE, phase=Phase.FINISHING), *[READY] * 10, v2=10),
        cluster(replace(DONE, rollout="finishing"), *[READY] * 10, v2=10),
        cluster(DONE, *[READY] * 9, v2=10),
        cluster(DONE, *[READY] * 10, replace(READY, version="v1"), v2=10),
        cluster(DONE, *[READY] * 10, v1=1, v2=10),
    ],
)
def test_a_release_does_not_run_yet(now: Cluster) -> None:
    """Each part is still missing once."""
    assert not runs(GOOD)(now)


def test_a_release_is_taken_back_when_its_pods_have_gone_and_all_others_serve() -> None:
    """`rejected` alone is not enough: the last pod may still be on its way out."""
    bad = replace(READY, version="v3")
    assert taken_back(BAD)(cluster(REJECTED, *[READY] * 10, v2=10, v3=0))
    assert taken_back(BAD)(cluster(REJECTED, *[READY] * 10, replace(bad, ready=False, going=True), v2=10, v3=0))
    assert not taken_back(BAD)(cluster(REJECTED, *[READY] * 10, bad, v2=10, v3=0))
    assert not taken_back(BAD)(cluster(REJECTED, *[READY] * 9, v2=10, v3=0))
    assert not taken_back(BAD)(cluster(replace(REJECTED, phase=Phase.RETREATING), *[READY] * 10, v2=10))


def test_the_attack_waits_for_its_window_and_not_beyond_the_end() -> None:
    """Waiting for a window that will never come would take minutes to fail."""
    opening = Deployment("v6", paused=False, complete=False, phase=Phase.OPENING, step=2)
    holds = window_or_end(INTERRUPTED, 2)
    assert holds(cluster(opening))
    assert holds(cluster(replace(opening, phase=Phase.FINISHING, step=3)))
    assert not holds(cluster(replace(opening, step=1)))
    assert not holds(cluster(replace(opening, phase=Phase.HOLDING)))
    assert not holds(cluster(replace(opening, paused=True)))
    assert not holds(cluster(replace(opening, version="v3", phase=None)))


def test_a_window_is_filled_when_its_pods_were_asked_for_and_exist() -> None:
    """Only then has the native controller come to rest, and the watch may begin."""
    opening = Deployment("v6", paused=False, complete=False, phase=Phase.OPENING, step=2)
    new = replace(READY, version="v6", ready=False)
    assert filled(INTERRUPTED, 3)(cluster(opening, new, new, new, v6=3))
    assert not filled(INTERRUPTED, 3)(cluster(opening, new, new, v6=3))
    assert not filled(INTERRUPTED, 3)(cluster(opening, new, new, new, v6=4))


def test_failed_requests_count_for_a_release_until_the_next_begins() -> None:
    """Pods of a release still go while the next one is being typed."""
    account = Account()
    for second in range(40):
        account.take(Count(100.0 + second, 40 * second, {}, {}))
    for at in (109.0, 118.0, 121.0):
        account.take(Failure(at, "refused", ""))
    told = [
        Told(GOOD, begun=(10, 110.0), ended=(20, 115.0)),
        Told(BAD, begun=(30, 120.0), ended=(40, 130.0), trouble="stuck"),
    ]
    good, bad = outcomes(told, [], account)
    assert (good.requests, bad.requests) == (account.between(110.0, 120.0), account.between(120.0, float("inf")))
    assert good.requests is not None
    assert good.requests.failures == 1
    assert (good.seconds, bad.seconds, bad.trouble) == (5.0, 10.0, "stuck")
    assert [outcome.requests for outcome in outcomes(told, [], None)] == [None, None]


MEASURED = Measured((1,), ((1, 1),), 10, 11, 0, exposed=110.0, decided=130.0)


@pytest.mark.parametrize(("fault", "bad"), [(Fault.ERRORS, 3), (Fault.SLOW, 25), (None, 3)])
def test_the_spell_of_a_release_is_what_its_pods_did_until_and_after_the_decision(
    fault: Fault | None, bad: int
) -> None:
    """What comes after the decision is paid too, and was not chosen by it."""
    account = Account()
    for second in range(60):
        count = max(0, min(second, 35) - 10)
        account.take(Count(100.0 + second, 0, {"v1": 70 * second, "v3": 7 * count}, {}, {"v1": second, "v3": count}))
    for at in (112.0, 129.0, 131.0):
        account.take(Failure(at, "500", "v3 fails on purpose", "v3"))
    release = Release("v3", "bad", "bad", fault)
    assert spell(release, MEASURED, 150.0, account) == Spell(20.0, requests=142, answered=178, bad=bad)


@pytest.mark.parametrize("measured", [replace(MEASURED, decided=None), replace(MEASURED, exposed=None, decided=None)])
def test_without_a_decision_there_is_no_spell(measured: Measured) -> None:
    """A release that is stuck has no time to decision."""
    assert spell(BAD, measured, 150.0, Account()) is None
    assert spell(BAD, replace(MEASURED, decided=MEASURED.exposed), 150.0, Account()) is None
