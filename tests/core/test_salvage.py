"""A webhook that is older than the controller: while Penstock is updated, or where a newer one has been here before.

It cannot read the record, so the fields in force mean nothing to it: nothing moves, nothing is taken for its owner's,
nothing is begun anew, and the newer one goes on as if nothing had been said. Only an opt-out is heard.
"""

import json
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.admission import admit
from penstock.core.decide import decide
from penstock.core.decision import Patch
from penstock.core.fields import Fields
from penstock.core.guard import annotation, label
from penstock.core.record import decode, encode
from penstock.core.review import review
from penstock.core.rollout import Phase
from tests.core.seen import observation
from tests.core.shop import NOW, Object, applied, labelled, noted, record, rolling, template, write

OWN = Fields(surge=3, unavailable=1, min_ready=7, deadline=99)
BRAKED = Fields(surge="10%", unavailable=0, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
CLAMPED = replace(OWN, surge="10%", paused=True)
IN_FORCE = {
    Phase.PENDING: replace(OWN, paused=True),
    Phase.BRAKING: replace(BRAKED, paused=True),
    Phase.OPENING: BRAKED,
    Phase.HOLDING: CLAMPED,
    Phase.RETREATING: replace(CLAMPED, paused=None),
    Phase.REJECTED: replace(OWN, paused=True),
    Phase.FINISHING: OWN,
}
"""A retreat is un-paused where it shows the stable template."""

WARNING = (
    "the record has version 2, this Penstock reads version 1; until a version that can read it runs, the rollout is "
    "held, and paused, strategy, minReadySeconds and progressDeadlineSeconds stay as they are; to end it: "
    "kubectl label deployment web -n shop penstock.dev/enabled=false"
)


def newer(text: str) -> str:
    """The same as the next version of Penstock might write it."""
    return json.dumps(json.loads(text) | {"v": 2, "wind": {"from": "north"}})


def stored(phase: Phase) -> Object:
    """A rollout whose record is of the next version, in this phase."""
    known = record(phase, saved=OWN)
    shown = "v1" if phase is Phase.RETREATING else "v2"
    return noted(rolling(known, shown, IN_FORCE[phase]), record=newer(encode(known)))


def edited(old: Object, version: str | None = None, **spec: Any) -> Object:
    """What its owner sends."""
    new = deepcopy(old)
    new["spec"].update(spec)
    if version:
        new["spec"]["template"] = template(version)
    return new


def left(obj: Object) -> tuple[str | None, str | None, str | None]:
    """What of ours is written on it."""
    return annotation(obj, keys.RECORD), annotation(obj, keys.DECLARED), label(obj, keys.ROLLOUT)


PHASES = pytest.mark.parametrize("phase", list(IN_FORCE))
MANIFEST: Object = {
    "paused": False,
    "minReadySeconds": 20,
    "progressDeadlineSeconds": 200,
    "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 5, "maxUnavailable": 0}},
}


@PHASES
@pytest.mark.parametrize("gating", [True, False])
def test_a_manifest_applied_again_changes_nothing_in_force(phase: Phase, gating: bool) -> None:
    """Nor does `paused: false`: what would move then, nobody here knows."""
    old = stored(phase)
    new = edited(old, **MANIFEST)
    answer = admit(write(old, new), NOW, gating=gating)
    after = applied(new, answer.patch)
    assert (answer.reason, answer.warnings) == ("Held", (WARNING,))
    assert (Fields.of(after), left(after)) == (IN_FORCE[phase], left(old))
    assert admit(write(old, after), NOW, gating=gating).patch == ()


@PHASES
@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_another_template_waits(phase: Phase, version: str) -> None:
    """Paused, with the record as it was: the newer version finds what it would find had admission been away."""
    old = noted(stored(phase), declared=json.dumps(template("v2")) if phase is Phase.RETREATING else None)
    new = edited(old, version, **MANIFEST)
    another = new["spec"]["template"] != old["spec"]["template"]
    answer = admit(write(old, new), NOW)
    after = applied(new, answer.patch)
    assert (answer.reason, answer.warnings) == ("Held", (WARNING,))
    assert left(after) == left(old)
    assert after["spec"]["template"] == template(version)
    braked = replace(OWN, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
    force = braked if another and phase is Phase.FINISHING else IN_FORCE[phase]
    assert Fields.of(after) == (replace(force, paused=True) if another else force)
    assert review(write(old, after), strict=True).allowed


@PHASES
def test_a_write_that_says_nothing_of_it_passes_silently(phase: Phase) -> None:
    """I9: an autoscaler, a person's request, a label."""
    old = stored(phase)
    for new in (edited(old, replicas=3), noted(old, request="{}"), labelled(old, team="blue")):
        answer = admit(write(old, new), NOW)
        assert (answer.reason, answer.patch, answer.warnings) == ("Untouched", (), ())


@PHASES
def test_an_opt_out_is_heard_all_the_same(phase: Phase) -> None:
    """What a record of the next version saves can be read."""
    old = stored(phase)
    new = labelled(old, enabled="false")
    answer = admit(write(old, new), NOW)
    after = applied(new, answer.patch)
    assert (answer.reason, Fields.of(after), left(after)) == ("OptedOut", OWN, (None, None, None))


@pytest.mark.parametrize("damage", [lambda text: text[:-9], lambda text: text.replace('"since":', '"sinse":')])
def test_a_damaged_record_is_held_too(damage: Any) -> None:
    """As a field of the next version's would be, with which the number was forgotten."""
    old = noted(rolling(record(saved=OWN), fields=CLAMPED), record=damage(encode(record(saved=OWN))))
    new = edited(old, "v3", **MANIFEST)
    answer = admit(write(old, new), NOW)
    after = applied(new, answer.patch)
    assert (answer.reason, Fields.of(after), left(after)) == ("Held", CLAMPED, left(old))


def test_one_that_was_released_is_gated_like_any_other() -> None:
    """Every field is its owner's already, whatever the version; without a gate a newer template would go to all."""
    old = noted(rolling(record(Phase.LEAVING, saved=OWN)), record=newer(encode(record(Phase.LEAVING, saved=OWN))))
    answer = admit(write(old, edited(old, "v3")), NOW)
    assert answer.reason == "Gated"


def test_a_pause_that_an_older_webhook_has_set_at_the_end_is_not_the_owners() -> None:
    """It came with the brake; taken for theirs, the next rollout would wait for them for ever."""
    known = record(Phase.FINISHING, saved=OWN)
    force = replace(OWN, paused=True, min_ready=keys.BRAKE_READY, deadline=keys.BRAKE_DEADLINE)
    for version, phase, after in (
        ("v3", Phase.RETREATING, replace(force, surge=3)),
        ("v2", Phase.FINISHING, OWN),
    ):
        obj = rolling(known, version, force)
        found = decide(observation(known, 5, 5, version=version, fields=force))
        assert isinstance(found.write, Patch)
        obj = applied(obj, found.write.draft.operations(obj))
        kept = decode(annotation(obj, keys.RECORD) or "")
        assert (kept.phase, kept.saved, Fields.of(obj)) == (phase, OWN, after)
