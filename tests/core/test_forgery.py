"""Whatever a tenant writes on their own Deployment hurts at most their own rollout, and ends when they say so.

All two hundred cases on the model, as if admission had not seen the forgery; tests/cluster/test_forgery.py plays them
on a real control plane.
"""

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

import pytest

from controller.stored import restore
from penstock.core import keys
from penstock.core.admission import Request, admit
from penstock.core.decide import decide
from penstock.core.decision import Decision, Patch
from penstock.core.draft import Draft
from penstock.core.fields import Fields
from penstock.core.guard import annotation, label
from penstock.core.observation import ReplicaSet
from penstock.core.reasons import Reason
from penstock.core.record import encode, saved_in
from penstock.core.review import review
from tests.core.forged import Case, cases, says_it_is_over
from tests.core.seen import observation, replicaset
from tests.core.shop import NOW, applied, labelled, noted, record, rolling, write
from tests.model.cluster import Cluster, template
from tests.model.native import Conflict
from tests.model.server import Object, Refused

Result = TypeVar("Result")

SLOW = 1.0
"""Seconds of processor time that one look or one answer may take at most, on a busy machine: others wait meanwhile."""


def timed(act: Callable[[], Result]) -> Result:
    """Its result, unless it has kept everybody waiting."""
    begun = time.thread_time()
    result = act()
    assert time.thread_time() - begun < SLOW
    return result


def void(_: object) -> None:
    """Changes are made in place."""


class Play:
    """One Deployment of four pods, its forgery, and its end."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.cluster = Cluster(4, annotations={keys.STEPS: "1, 50%", keys.STEP_TIME: "60s..90s"})
        self.own = self.cluster.fields
        if case.held:
            self.write(lambda obj: obj["spec"].update(template=template("v2")))
            for _ in range(6):
                self.look()
                self.cluster.ready()

    @property
    def obj(self) -> Object:
        return self.cluster.server.obj

    def forge(self) -> None:
        """Past admission, as with a webhook that did not answer."""
        new = {**self.obj, "metadata": dict(self.obj["metadata"])}
        meta = new["metadata"]
        forged = self.case.notes(annotation(self.obj, keys.RECORD) or "")
        notes = {**(meta.get("annotations") or {}), **forged}
        meta["annotations"] = {key: value for key, value in notes.items() if value is not None}
        if self.case.label != "as it is":
            labels = {**(meta.get("labels") or {}), keys.ROLLOUT: self.case.label}
            meta["labels"] = {key: value for key, value in labels.items() if value is not None}
        self.cluster.server._store(new)

    def look(self) -> None:
        """A look of the controller, and its write."""
        decision = timed(lambda: decide(self.cluster.observation()))
        assert decision.message
        assert len(decision.message) < 2000
        with suppress(Conflict):
            self.cluster.carry_out(decision, self.obj, self.cluster.versions())
        self.over = decision.over

    def goes_on(self, looks: int) -> None:
        for _ in range(looks):
            self.look()
            self.cluster.ready()
            if self.over:
                return

    def write(self, change: Callable[[Object], object]) -> None:
        """A write of a person's; the API server may refuse it."""
        with suppress(Refused):
            timed(lambda: self.cluster.server.user(lambda obj: void(change(obj))))

    def opt_out(self, *, webhook: bool) -> None:
        self.cluster.server.webhook = webhook
        self.write(lambda obj: obj["metadata"].setdefault("labels", {}).update({keys.ENABLED: "false"}))

    def take_away(self) -> None:
        self.write(lambda obj: [obj["metadata"].get("annotations", {}).pop(key, None) for key in keys.OUR_ANNOTATIONS])


@pytest.mark.slow
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_a_forgery_ends_when_its_author_says_so(case: Case) -> None:
    """I7: nothing left paused or braked, all pods serve, and the fields are the user's as far as they are known.

    Who forges a record that says that the fields in force are their own has to lift that pause by themselves.
    """
    play = Play(case)
    play.forge()
    text = annotation(play.obj, keys.RECORD) or ""
    play.goes_on(4)
    play.write(lambda obj: obj["spec"].update(replicas=5))
    if case.number % 3 == 2:
        play.take_away()
        play.goes_on(4)
    play.opt_out(webhook=case.number % 2 == 0)
    play.goes_on(40)
    if says_it_is_over(text):
        play.write(lambda obj: obj["spec"].pop("paused", None))
    said = saved_in(text) or play.own
    fields = play.cluster.fields
    assert fields.paused in (None, said.paused)
    assert (fields.min_ready, fields.deadline) in [(f.min_ready, f.deadline) for f in (play.own, said)]
    assert label(play.obj, keys.ROLLOUT) is None
    assert annotation(play.obj, keys.RECORD) is None
    play.cluster.ready()
    ready = sum(pod.ready for pod in play.cluster.pods.all.values())
    assert ready == 5 == len(play.cluster.pods.all)
    if said == play.own and saved_in(text):
        assert fields == play.own


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_no_forgery_stops_an_answer_of_the_webhook(case: Case) -> None:
    """Both ways: what a write brings and what stands in the store."""
    play = Play(case)
    before = play.obj
    play.forge()
    for old, new in ((before, play.obj), (play.obj, before), (play.obj, play.obj), (None, play.obj)):
        asked = Request(
            "u", "UPDATE" if old else "CREATE", "Deployment", "shop", "web", "ann", "kubectl", False, new, old
        )
        for gating in (True, False):
            answer = timed(lambda asked=asked, gating=gating: admit(asked, play.cluster.now, gating=gating))
            assert len(json.dumps(answer.warnings)) < 2000
        timed(lambda asked=asked: review(asked, strict=True))
        timed(lambda asked=asked: review(replace(asked, kind="Namespace")))


@pytest.mark.parametrize("case", [c for c in cases() if c.of_replicasets], ids=lambda case: case.name)
def test_what_is_forged_on_a_replicaset_is_read_or_left_out(case: Case) -> None:
    """Evidence among it: it is taken for this rollout only, and whole."""
    notes = case.of_replicasets or {}
    meta = {"name": "web-1", "uid": "rs-1", "annotations": notes, "creationTimestamp": "2026-11-25T12:00:00Z"}
    obj = {"metadata": meta, "spec": {"replicas": 1, "template": template("v1")}}
    assert timed(lambda: ReplicaSet.of(obj)).replicas == 1
    assert timed(lambda: restore(obj, "3f2a9c1e")) is None


def test_the_fields_of_a_record_that_was_taken_away_stand_on_the_replicaset() -> None:
    """The native controller copied it there, and copies no removal."""
    own = Fields(surge=2, unavailable=1, min_ready=7, deadline=99)
    copy = replicaset("v2", 1, record=encode(record(saved=own)))
    seen = observation(replicasets=(replicaset("v1", 10), copy))
    without = {key: value for key, value in seen.deployment.annotations.items() if key != keys.RECORD}
    found = decide(replace(seen, deployment=replace(seen.deployment, annotations=without)))
    assert found == Decision(
        Reason.RELEASED,
        "the record was taken away, so this rollout cannot go on; it is released",
        Patch(Draft(own, "finishing", dict.fromkeys(keys.OUR_ANNOTATIONS))),
        1.0,
    )


def test_of_another_versions_record_an_opt_out_puts_back_what_it_saves() -> None:
    """It is held until then: the version that wrote it may come back."""
    text = encode(record(saved=Fields(min_ready=7))).replace('"v":1', '"v":2')
    old = noted(rolling(record()), record=text)
    new = labelled(old, enabled="false")
    answer = admit(write(old, new), NOW)
    after = applied(new, answer.patch)
    assert (answer.reason, Fields.of(after)) == ("OptedOut", Fields(min_ready=7))
    assert not {keys.RECORD, keys.REQUEST} & set(after["metadata"]["annotations"])
    assert keys.ROLLOUT not in after["metadata"]["labels"]
