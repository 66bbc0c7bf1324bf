"""What holds for every input: parsers and printers, the record, and admission over all Deployments we can think of.

A table shows what was thought of; these try what was not.
"""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core import keys, plan, queries, record, units
from penstock.core.admission import Request, admit
from penstock.core.decide import decide
from penstock.core.fields import PATHS
from penstock.core.guard import annotation
from penstock.core.patch import Path, value_at
from penstock.core.plan import Step
from penstock.core.record import Record, RecordError, decode, encode
from penstock.core.rollout import LABELS, Phase
from penstock.core.template import template_hash
from penstock.core.units import AnnotationError
from tests.core import shop
from tests.core.seen import observation
from tests.core.shop import NOW, Object, applied, labelled, template, write
from tests.core.writes import FIELDS, rollouts, writes

MANY = settings(max_examples=200)
FEW = settings(max_examples=60)

# -- parsers and printers

PODS = st.builds(Step, st.integers(1, 999_999), st.just(False))
STEP = st.one_of(PODS, st.builds(Step, st.integers(1, 100), st.just(True)))
LIMIT = keys.LIMIT + "queue"
WORDS = st.sampled_from(
    [
        "1",
        "25%",
        "10m",
        *'./><{}," \
',
        "..",
        "{{new}}",
        "for",
        "a",
        "each",
    ]
)
TEXT = st.one_of(st.text(max_size=60), st.lists(WORDS, max_size=20).map("".join))


def refusal(parse: Callable[..., object], *given: object) -> AnnotationError | None:
    """The error that refuses it, if any; every other exception is a failure of the test."""
    try:
        parse(*given)
    except AnnotationError as error:
        return error
    return None


@FEW
@given(st.integers(1, int(units.MAX_DURATION * 1000)))
def test_a_printed_duration_is_read_as_what_it_was(milliseconds: int) -> None:
    """The page prints what the annotation means, and people copy it back."""
    assert units.duration(units.print_duration(milliseconds / 1000)) == milliseconds / 1000


@FEW
@given(st.integers(1, 100))
def test_a_printed_percentage_is_read_as_what_it_was(percent: int) -> None:
    """No rounding on the way."""
    assert units.percentage(f"{percent}%") == percent / 100
    assert f"{round(units.percentage(f'{percent}%') * 100)}%" == f"{percent}%"


@FEW
@given(STEP)
def test_a_printed_step_is_read_as_what_it_was(step: Step) -> None:
    """`approve` and `exposures` compare steps by their printed form."""
    assert plan.steps(str(step)) == (step,)
    assert plan.approve(str(step)) == (str(step),)


@FEW
@given(st.lists(STEP, min_size=1, max_size=12), st.sampled_from([",", ", ", " ,  "]))
def test_printed_steps_are_read_as_what_they_were(listed: list[Step], comma: str) -> None:
    """Made increasing within each unit first, as a user has to."""
    kept: list[Step] = []
    for step in listed:
        if all(step.amount > k.amount for k in kept if k.percent == step.percent):
            kept.append(step)
    assert plan.steps(comma.join(map(str, kept))) == tuple(kept)


@pytest.mark.parametrize("key", [*plan.PARSERS, LIMIT, keys.PREFIX + "unknown", keys.LIMIT])
@FEW
@given(text=TEXT)
def test_any_text_is_read_or_refused_with_place_and_example(key: str, text: str) -> None:
    """Admission reads what anybody writes; a traceback there would let the change through un-gated."""
    error = refusal(plan.check, key, text)
    if error:
        assert error.key == key
        assert 1 <= error.column <= len(text) + 1
        assert error.example
        assert str(error).isprintable()
        assert str(error).startswith(f"{key}, column {error.column}: ")


@pytest.mark.parametrize("parse", [queries.errors, queries.slow, queries.limit])
@FEW
@given(text=TEXT)
def test_any_query_is_read_or_refused(parse: Any, text: str) -> None:
    """Also where the controller reads an annotation that no admission has seen."""
    error = refusal(parse, text)
    assert error is None or error.column >= 1


@FEW
@given(st.dictionaries(st.sampled_from(keys.USER_ANNOTATIONS), TEXT, max_size=4))
def test_any_annotations_are_a_plan_or_one_error(annotations: dict[str, str]) -> None:
    """The controller then holds with that error's sentence."""
    error = refusal(plan.plan, annotations, {})
    assert error is None or error.key in annotations


# -- the record

STEPS = st.integers(0, 20)
TIMES = st.one_of(st.just(0), st.floats(0, 4e9), st.integers(0, 4 * 10**9))
RECORDS = st.builds(
    Record,
    uid=st.text(max_size=40),
    id=st.text(max_size=8),
    declared=st.text(max_size=10),
    loose=st.text(max_size=10),
    saved=FIELDS,
    stable=st.text(max_size=10),
    revision=st.text(max_size=5),
    phase=st.sampled_from(Phase),
    step=STEPS,
    started=TIMES,
    since=TIMES,
    target=st.integers(0, 10_000),
    replicas=st.integers(0, 10_000),
    epoch=st.integers(0, 10**9),
    approved=st.lists(STEPS, max_size=20).map(tuple),
    awaiting=st.booleans(),
    failed=st.text(max_size=record.MAX_REASON),
    note=st.text(max_size=20),
    owners=st.dictionaries(st.sampled_from(list(PATHS)), st.lists(st.text(max_size=10), max_size=2).map(tuple)),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=5,
)


@MANY
@given(RECORDS)
def test_every_record_is_read_as_what_was_written(known: Record) -> None:
    """And equal records are equal text, so an unchanged one is no write."""
    assert decode(encode(known)) == known
    assert encode(decode(encode(known))) == encode(known)


@MANY
@given(st.one_of(TEXT, JSON.map(json.dumps)))
def test_any_text_is_no_record(text: str) -> None:
    """RecordError is the only way out."""
    with pytest.raises(RecordError):
        decode(text)


def damaged(name: str, value: Any, known: Record) -> str:
    """The text of a record with one value, of its own or of the saved fields, replaced."""
    values = json.loads(encode(known))
    target = values["saved"] if name in values["saved"] else values
    target[name] = value
    return json.dumps(values)


NAMES = [*json.loads(encode(shop.record())), *PATHS]
IN_PHASE = st.builds(shop.record, st.sampled_from(Phase))


@MANY
@given(
    st.sampled_from(NAMES),
    st.one_of(JSON, st.integers(-2, 5), st.sampled_from(["25%", "lots", "Holding", [1], [-1], {}])),
    IN_PHASE,
    st.sampled_from([0, 1, 3, 10]),
    st.sampled_from([0, 7, 10]),
    st.sampled_from([0, 1, 10]),
)
def test_a_record_with_one_odd_value_never_stops_the_controller(
    name: str, value: Any, known: Record, new: int, old: int, replicas: int
) -> None:
    """It is held, or acted on where the value happens to make sense; one workload's record is no other's outage."""
    text = damaged(name, value, known)
    try:
        read = decode(text)
    except RecordError:
        pass
    else:
        assert decode(encode(read)) == read
    assert decide(observation(known, new, old, notes={"record": text}, replicas=replicas)).message


# -- admission

ALLOWED: tuple[Path, ...] = (
    ("spec", "paused"),
    ("spec", "minReadySeconds"),
    ("spec", "progressDeadlineSeconds"),
    ("metadata", "managedFields"),
    ("metadata", "labels", keys.ROLLOUT),
    *(("metadata", "annotations", key) for key in keys.OUR_ANNOTATIONS),
    *(PATHS[name] for name in ("type", "surge", "unavailable")),
)
PARENTS = ("/metadata/labels", "/metadata/annotations", "/spec/strategy", "/spec/strategy/rollingUpdate")


def pointed(path: Path) -> str:
    return "".join("/" + name.replace("/", "~1") for name in path)


def foreign(obj: Object) -> Object:
    """All of an object that is none of our business; maps that held only ours may be empty or absent."""
    out = deepcopy(obj)
    for path in (*ALLOWED, ("spec", "template")):
        parent = value_at(out, path[:-1])
        if isinstance(parent, dict):
            parent.pop(path[-1], None)
    for path in (("metadata", "labels"), ("metadata", "annotations"), ("spec", "strategy", "rollingUpdate")):
        parent = value_at(out, path[:-1])
        if isinstance(parent, dict) and not parent.get(path[-1]):
            parent.pop(path[-1], None)
    return out


@MANY
@given(writes(), st.booleans())
def test_admitted_twice_is_admitted_once(request: Request, gating: bool) -> None:
    """Two of our entries may see one write, and other mutators may have it seen again."""
    first = admit(request, NOW, gating=gating)
    after = applied(request.object or {}, first.patch)
    second = admit(replace(request, object=after), NOW, gating=gating)
    if first.reason != "Released":  # without label and record it now looks like a manifest that is applied again
        assert second.patch == ()


@MANY
@given(writes(), st.booleans())
def test_a_patch_touches_only_what_is_ours(request: Request, gating: bool) -> None:
    """And what we do not know survives: fields of a newer API, keys of other tools."""
    assert request.object is not None
    before = deepcopy(request)
    answer = admit(request, NOW, gating=gating)
    assert request == before
    after = applied(request.object, answer.patch)
    for operation in answer.patch:
        path = operation["path"]
        if path == "/spec/template":
            aside = json.loads(annotation(request.old, keys.DECLARED) or "null")
            assert operation["value"] == aside
            continue
        whole = path in PARENTS and operation["op"] != "replace"
        assert whole or path in map(pointed, ALLOWED)
    assert foreign(after) == foreign(request.object)


@MANY
@given(writes(), st.booleans())
def test_after_admission_label_and_record_stand_together(request: Request, gating: bool) -> None:
    """A record that counts without a label would never be looked at; a label without one locks for nothing."""
    assert request.object is not None
    answer = admit(request, NOW, gating=gating)
    after = applied(request.object, answer.patch)
    if answer.reason in ("Gated", "Superseded", "Approved", "Declared", "StillRejected"):
        known = decode(after["metadata"]["annotations"][keys.RECORD])
        assert after["metadata"]["labels"][keys.ROLLOUT] == LABELS[known.phase]
        assert known.declared == template_hash(after["spec"]["template"])
    if answer.reason in ("Gated", "Superseded", "Declared", "StillRejected"):
        assert after["spec"]["paused"] is True
    if answer.reason in ("Reverted", "OptedOut", "Released"):
        assert keys.ROLLOUT not in (after["metadata"].get("labels") or {})
        assert not set(keys.OUR_ANNOTATIONS) & set(after["metadata"].get("annotations") or {})


@MANY
@given(rollouts(), st.sampled_from(["opt-out", "revert"]))
def test_a_release_restores_every_field_exactly(stored: tuple[Record, Object], way: str) -> None:
    """Absent stays absent, a user's own pause stays, and nothing of the brake is left (I7)."""
    known, old = stored
    if known.phase is Phase.LEAVING:
        return
    if way == "opt-out":
        new = labelled(old, enabled="false")
    else:
        new = deepcopy(old)
        new["spec"]["template"] = template("v1")
    answer = admit(write(old, new), NOW)
    after = applied(new, answer.patch)
    if way == "revert" and annotation(old, keys.DECLARED):
        return  # a retreat shows the stable template: nothing was reverted
    assert answer.reason in ("OptedOut", "Reverted")
    assert {name: value_at(after, path) for name, path in PATHS.items()} == known.saved.json()
    assert after["spec"]["strategy"]["futureField"] == {"a": 0}
