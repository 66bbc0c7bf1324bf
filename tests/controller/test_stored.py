"""What scraping has gathered outlives the controller, and nothing that somebody wrote there instead is believed."""

import json
from dataclasses import replace
from typing import Any

import pytest

from controller.stored import MOST, restore, store
from penstock.core import keys
from penstock.core.counters import Count, Life
from penstock.core.judgement import NOT_YET, Bearings, Judgement, Memories, look
from penstock.core.plan import plan
from penstock.core.pooling import Pool
from penstock.core.reading import Counters, Reading

PODS = {f"web-7d9c5b8f4d-{n:05}": Life(n < 10, 50.0, 60.0) for n in range(20)}
PLAN = plan({keys.ERRORS: 'a{code="500"} / a', keys.SLOW: "b > 250ms", keys.WARMUP: "5s"})


def gathered() -> tuple[Judgement, Memories]:
    """Ten new and ten old pods after five looks."""
    known = NOT_YET
    memories: Memories = {}
    at = Bearings("r1", PLAN, 100.0, 1, 0.5, PODS)
    for tick in range(5):
        time = 110.0 + 5 * tick
        pods = {name: Counters({"a": 100.0 * tick + n}, {"a": float(tick)}, time) for n, name in enumerate(PODS)}
        answers = dict.fromkeys(("errors", "slow"), Reading(time, pods))
        known, memories = look(known, memories, answers, at, time=time, source="pods")
    return known, memories


def test_evidence_is_read_back_as_it_was_and_counting_goes_on() -> None:
    """The next reading is compared with the sums that were kept."""
    known, memories = gathered()
    text = store(known, memories, {"slow": 0.25})
    assert text is not None
    found = restore({"metadata": {"annotations": {keys.EVIDENCE: text}}}, "r1")
    assert found is not None
    judgement, sums, bounds = found
    assert bounds == {"slow": 0.25}
    assert {n: c.evidence for n, c in judgement.compared.items()} == {n: c.evidence for n, c in known.compared.items()}
    pods = {name: Counters({"a": 500.0 + n}, {"a": 5.0}, 140.0) for n, name in enumerate(PODS)}
    answers = dict.fromkeys(("errors", "slow"), Reading(140.0, pods))
    at = Bearings("r1", PLAN, 100.0, 1, 0.5, PODS)
    straight, _ = look(known, memories, answers, at, time=140.0, source="pods")
    resumed, _ = look(judgement, sums, answers, at, time=140.0, source="pods")
    assert resumed == straight


def test_it_is_small() -> None:
    """An annotation of each active rollout, written twice a minute."""
    text = store(*gathered(), {})
    assert text is not None
    assert 2_000 < len(text) < 9_000


@pytest.mark.parametrize("text", ["", "{}", "[]", "[1]", "nonsense", "[2,{},{},{}]", '[1,{"rollout":5},{},{}]'])
def test_what_cannot_be_read_is_as_if_nothing_was_there(text: str) -> None:
    """Anybody who may edit a ReplicaSet may write it."""
    assert restore({"metadata": {"annotations": {keys.EVIDENCE: text}}}, "r1") is None
    assert restore(None, "r1") is None


BENT = [
    # the way to a value of the annotation, and what somebody wrote there
    (("evidence", "logs"), [0.0] * 23),
    (("evidence", "logs"), [0.0] * 23 + [1e300]),
    (("evidence", "passing", "logs"), [0.0] * 4),
    (("evidence", "spread", "factor"), 0.5),
    (("evidence", "new"), [-100.0, 0.0]),
    (("evidence", "peak"), -1.0),
    (("incident", "limit"), 1.0),
    (("pool", "old"), {"web": [1e300, 0.0]}),
]


@pytest.mark.parametrize(("way", "value"), BENT)
def test_what_no_look_could_have_gathered_is_as_if_nothing_was_there(way: tuple[str, ...], value: Any) -> None:
    """Of the right types it would end every look by an error, or take back or let through what nothing speaks for."""
    text = store(*gathered(), {})
    assert text is not None
    written = json.loads(text)
    found = written[1]["compared"]["errors"]
    for key in way[:-1]:
        found = found[key]
    kept, found[way[-1]] = found[way[-1]], value
    assert restore({"metadata": {"annotations": {keys.EVIDENCE: json.dumps(written)}}}, "r1") is None
    found[way[-1]] = kept
    assert restore({"metadata": {"annotations": {keys.EVIDENCE: json.dumps(written)}}}, "r1") is not None


def test_what_is_not_weighed_yet_is_kept_too() -> None:
    """Half of a minute's scrapes would be lost with each restart."""
    known, memories = gathered()
    pool = Pool(120.0, {"web": Count(5, 1)}, {"old": Count(9, 0)}, 1, 5.0)
    text = store(replace(known, compared={"errors": replace(known.compared["errors"], pool=pool)}), memories, {})
    found = restore({"metadata": {"annotations": {keys.EVIDENCE: text}}}, "r1")
    assert found is not None
    assert found[0].compared["errors"].pool == pool


def test_evidence_of_another_rollout_is_not_taken() -> None:
    """A version that comes back by a newer rollout is judged anew (I10)."""
    text = store(*gathered(), {})
    assert restore({"metadata": {"annotations": {keys.EVIDENCE: text}}}, "r2") is None


def test_what_is_too_large_for_an_annotation_is_not_written() -> None:
    """A failed write would stop nothing but the keeping; a refused Deployment would be worse."""
    known, memories = gathered()
    assert store(replace(known, source="x" * MOST), memories, {}) is None
