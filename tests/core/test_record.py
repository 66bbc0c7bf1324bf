"""The record survives being written, is small, and what is not one is never guessed at."""

import json
from dataclasses import replace
from typing import Any

import pytest

from penstock.core.fields import Fields
from penstock.core.record import (
    MAX_REASON,
    Record,
    RecordError,
    declared,
    decode,
    encode,
    rollout_id,
    superseded,
)
from penstock.core.rollout import Phase
from tests.core.shop import V2, V3, record, template

FULL = record(
    Phase.REJECTED,
    saved=Fields(surge=3, unavailable=None, min_ready=30, deadline=None, paused=True),
    since=1_800_000_000.25,
    approved=(1, 2, 3),
    awaiting=True,
    failed="step 1 of 3: pod web-7d9c-x of the new version crash-loops",
    note="CrashLoop",
    owners={"surge": ("argocd-controller/Apply", "helm/Update"), "paused": ("kubectl-rollout/Update",)},
)


@pytest.mark.parametrize("known", [record(phase) for phase in Phase] + [FULL])
def test_what_is_written_is_read_again(known: Record) -> None:
    """All durable state of a rollout is in it."""
    assert decode(encode(known)) == known
    assert encode(decode(encode(known))) == encode(known)


def test_the_text_is_this() -> None:
    """Another version's controller reads it: a change of the form needs a new number."""
    assert encode(record(Phase.PENDING)) == (
        '{"approved":[],"awaiting":false,"declared":"' + V2 + '","epoch":4,"failed":"","id":"3f2a9c1e",'
        '"loose":"' + V2 + '","note":"","owners":{},"phase":"Pending","replicas":0,"revision":"1",'
        '"saved":{"deadline":600,"min_ready":null,"paused":null,"surge":"25%","type":"RollingUpdate",'
        '"unavailable":"25%"},"since":0,"stable":"' + record().stable + '","started":0,"step":0,"target":0,'
        '"uid":"d-1","v":1}'
    )


def test_the_largest_record_stays_within_two_kibibytes() -> None:
    """It is in every list and watch of Deployments, and is copied to a ReplicaSet at each revision."""
    managers = tuple(f"{name}-controller-manager/Apply" for name in ("argocd", "flux"))
    names = ("type", "surge", "unavailable", "min_ready", "deadline", "paused")
    large = replace(
        FULL,
        uid="6c7e6fc4-9a3c-4f6a-8b1b-0d6f3f1d3d5a",
        saved=Fields("RollingUpdate", "100%", "100%", 2147483645, 2147483646, True),
        failed="é" * 1000,
        approved=tuple(range(1, 21)),
        owners=dict.fromkeys(names, managers),
    )
    assert len(encode(large).encode()) <= 2048
    assert decode(encode(large)) == replace(large, failed="é" * MAX_REASON)


def altered(**changes: Any) -> str:
    values = json.loads(encode(FULL))
    saved = {**values["saved"], **changes.pop("saved", {})}
    return json.dumps({**values, "saved": saved, **changes})


def without(name: str) -> str:
    values = json.loads(encode(FULL))
    del values[name]
    return json.dumps(values)


UNREADABLE = "the record is not readable JSON"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", UNREADABLE),
        ("{", UNREADABLE),
        ("[]", UNREADABLE),
        ("null", UNREADABLE),
        ("{}", UNREADABLE),
        ("[" * 5000, UNREADABLE),
        (encode(FULL)[:-1], UNREADABLE),
        (altered(v=2), "the record has version 2, this Penstock reads version 1"),
        (altered(v="1"), "the record has version '1', this Penstock reads version 1"),
        (altered(v=None), "the record has version None, this Penstock reads version 1"),
        (altered(v=True), "the record has version True, this Penstock reads version 1"),
        (altered(v=1.0), "the record has version 1.0, this Penstock reads version 1"),
        (without("uid"), "the record is damaged: 'uid'"),
        (without("saved"), "the record is damaged: 'saved'"),
        (altered(step="1"), "the record is damaged: step is '1'"),
        (altered(step=True), "the record is damaged: step is True"),
        (altered(step=1.5), "the record is damaged: step is 1.5"),
        (altered(since=float("nan")), "the record is damaged: since is nan"),
        (altered(started=float("inf")), "the record is damaged: started is inf"),
        (altered(awaiting=1), "the record is damaged: awaiting is 1"),
        (altered(failed=None), "the record is damaged: failed is None"),
        (altered(phase="Running"), "the record is damaged: 'Running' is not a valid Phase"),
        (altered(approved=["1"]), "the record is damaged: approved is '1'"),
        (altered(approved=3), "the record is damaged: 'int' object is not iterable"),
        (altered(owners=[]), "the record is damaged: 'list' object has no attribute 'items'"),
        (altered(saved={"min_ready": "5"}), "the record is damaged: saved.min_ready is '5'"),
        (altered(saved={"paused": 1}), "the record is damaged: saved.paused is 1"),
        (altered(saved={"surge": True}), "the record is damaged: saved.surge is True"),
        (altered(saved={"surge": "lots"}), "the record is damaged: saved.surge is 'lots'"),
        (altered(saved={"surge": -1}), "the record is damaged: saved.surge is -1"),
        (altered(saved={"unavailable": "25"}), "the record is damaged: saved.unavailable is '25'"),
        (
            altered(extra=1),
            "the record is damaged: Record.__init__() got an unexpected keyword argument 'extra'",
        ),
    ],
)
def test_what_is_no_record_is_held_with_the_reason(text: str, message: str) -> None:
    """A guess here would move pods, or put back fields that nobody had."""
    with pytest.raises(RecordError) as refused:
        decode(text)
    assert str(refused.value) == message


def test_the_id_depends_on_the_change_alone() -> None:
    """Admission may see one write twice, and a second rollout of the same template is another one."""
    assert rollout_id("d-1", V2, 3) == rollout_id("d-1", V2, 3)
    others = {rollout_id("d-1", V2, 4), rollout_id("d-2", V2, 3), rollout_id("d-1", V3, 3), rollout_id("d-1", V2, 3)}
    assert len(others) == 4
    assert {len(i) for i in others} == {8}


def test_a_newer_template_inherits_no_approval_and_no_verdict() -> None:
    """What was said of one version never moves another (I10); the user's fields and owners stay."""
    assert superseded(FULL, V3, "loose", 9) == replace(
        FULL,
        id=rollout_id("d-1", V3, 9),
        declared=V3,
        loose="loose",
        phase=Phase.RETREATING,
        step=0,
        started=0,
        since=0,
        target=0,
        approved=(),
        awaiting=False,
        failed="",
        note="",
    )


def test_the_template_put_aside_is_taken_only_if_it_is_the_declared_one() -> None:
    """Anybody who may edit annotations could put another one there."""
    assert declared(json.dumps(template("v2")), FULL) == template("v2")
    assert declared(json.dumps(template("v3")), FULL) is None


@pytest.mark.parametrize(
    "aside", [None, "", "null", "7", "[]", "{", '{"metadata":7}', '{"metadata":{"labels":3}}', "[" * 5000]
)
def test_what_is_no_template_put_aside_is_none(aside: str | None) -> None:
    """Admission reads it; it must not fail there."""
    assert declared(aside, FULL) is None
