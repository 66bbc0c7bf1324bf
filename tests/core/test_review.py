"""Validation: the exact sentence that refuses a write, and the writes that are none of its business."""

from copy import deepcopy
from typing import Any

import pytest

from penstock.core import keys
from penstock.core.fields import Fields
from penstock.core.review import ALLOWED, Review, fence, review
from penstock.core.rollout import Phase
from penstock.core.template import template_hash
from tests.core.shop import Object, deployment, labelled, noted, record, rolling, template, write

STEPS_EXAMPLE = 'example: "1, 25%, 50%"'
BAD_STEPS = (
    'annotation penstock.dev/steps, column 4: "fifty" is neither a number of pods nor a percentage from 1% to 100%; '
    + STEPS_EXAMPLE
)
UNKNOWN = (
    "annotation penstock.dev/step, column 1: there is no such annotation; known: steps, step-time, warmup, errors, "
    "slow, max-impact, approve, on-failure, on-inconclusive, source, fast-rollback, limit.NAME; "
    'example: penstock.dev/steps: "1, 25%, 50%"'
)


def namespace(annotations: dict[str, str] | None = None, **labels: str) -> Object:
    named = {keys.PREFIX + name: value for name, value in labels.items()}
    return {"metadata": {"name": "shop", "labels": named, "annotations": annotations}}


REFUSED = [
    (noted(deployment(), steps="1, fifty"), BAD_STEPS),
    (noted(deployment(), step="1"), UNKNOWN),
    (
        noted(deployment(), on_failure="stop", steps="1, fifty"),
        'annotation penstock.dev/on-failure, column 1: "stop" is not known; allowed: rollback, pause; '
        f'example: "rollback"; {BAD_STEPS}',
    ),
    (
        labelled(deployment(), enabled="yes"),
        'label penstock.dev/enabled: "yes" is not known; allowed: "true", "false"; '
        'example: penstock.dev/enabled: "true"',
    ),
    (
        labelled(deployment(), steps="1"),
        'label penstock.dev/steps: there is no such label; known: enabled; example: penstock.dev/enabled: "true"',
    ),
    (
        noted(deployment(), enabled="true"),
        "annotation penstock.dev/enabled: this is a label; write it under metadata.labels: "
        'penstock.dev/enabled: "true"',
    ),
    (
        noted(deployment(), steps="1, 50%", approve="25%"),
        "annotation penstock.dev/approve: 25% is not one of the steps 1, 50%; example: 50%",
    ),
]


@pytest.mark.parametrize(("new", "message"), REFUSED)
def test_a_bad_value_is_refused_with_this_sentence(new: Object, message: str) -> None:
    """It is all that the user gets to see."""
    refused = Review(False, message, reason="BadAnnotation")
    assert review(write(None, new)) == refused
    assert review(write(deployment(), new)) == refused


@pytest.mark.parametrize(("bad", "_"), REFUSED)
def test_an_object_that_was_already_bad_stays_editable(bad: Object, _: str) -> None:
    """The webhook was away, or an older version took it: scaling up must not be refused for that."""
    new = deepcopy(bad)
    new["spec"]["replicas"] = 20
    assert review(write(bad, new)) == ALLOWED


def test_a_bad_key_beside_one_that_changes_is_not_judged() -> None:
    """Only what this write says."""
    bad = noted(deployment(), steps="1, fifty")
    assert review(write(bad, noted(bad, warmup="5s"))) == ALLOWED
    assert review(write(bad, noted(bad, warmup="5"))).message == (
        'annotation penstock.dev/warmup, column 1: "5" is not a duration; allowed: whole numbers with h, m, s, ms; '
        'example: "60s"'
    )
    assert review(write(bad, noted(bad, steps=None))) == ALLOWED


@pytest.mark.parametrize(
    "new",
    [
        deployment("v2"),
        None,
        noted(deployment(), steps="1, 25%", approve="25%"),
        noted(deployment(), steps="1, 25%", approve="last"),
        noted(deployment(), approve="7"),
        noted(deployment(), record="x", previous="y", declared="z"),
        labelled(deployment(), enabled="true", rollout="anything"),
        {"metadata": {"annotations": {"other.dev/steps": "fifty"}, "labels": None}, "spec": {}},
    ],
)
def test_what_is_allowed(new: Object | None) -> None:
    """Our own keys are admission's business, those of others are nobody's; `approve` may name the namespace's steps."""
    assert review(write(deployment(), new)) == ALLOWED


@pytest.mark.parametrize(
    ("new", "message"),
    [
        (namespace({keys.STEPS: "1, fifty"}, enabled="true"), BAD_STEPS),
        (namespace({keys.STEPS: "1, 50%"}, enabled="true"), ""),
        (
            namespace({keys.RECORD: "{}"}, enabled="true"),
            "annotation penstock.dev/record: it belongs to the rollout of one Deployment; a Namespace has none: "
            "remove it",
        ),
        (
            namespace(enabled="on"),
            'label penstock.dev/enabled: "on" is not known; allowed: "true", "false"; '
            'example: penstock.dev/enabled: "true"',
        ),
    ],
)
def test_a_namespace_is_held_to_the_same_words(new: Object, message: str) -> None:
    """Its annotations are defaults for every workload in it."""
    found = review(write(None, new, kind="Namespace", name="shop"), strict=True)
    assert (found.allowed, found.message) == (not message, message)


def test_our_own_writes_are_not_judged() -> None:
    """The controller keeps what users wrote, bad or not."""
    assert review(write(None, noted(deployment(), steps="fifty"), username=keys.CONTROLLER), strict=True) == ALLOWED


NOT_GATED = Review(
    False, "this template change was not gated, the webhook did not answer; apply it again", reason="NotGated"
)
UNPAUSED = Review(
    False,
    "another webhook has taken out spec.paused, which holds this change at its first step",
    reason="Unpaused",
)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (deployment(), deployment("v2"), NOT_GATED),
        (deployment(), labelled(deployment("v2", paused=True), rollout="stepping"), ALLOWED),
        (deployment(), deployment(replicas=20), ALLOWED),
        (deployment(), labelled(deployment("v2"), enabled="false"), ALLOWED),
        (deployment(), deployment("v2", paused=True), ALLOWED),
        (None, deployment("v2"), ALLOWED),
        (deployment(), labelled(deployment("v2"), rollout="stepping"), UNPAUSED),
        (labelled(deployment(), rollout="finishing"), labelled(deployment("v2"), rollout="stepping"), UNPAUSED),
        (labelled(deployment(), rollout="stepping"), labelled(deployment(replicas=20), rollout="stepping"), ALLOWED),
        (labelled(deployment("v2"), rollout="finishing"), deployment("v2"), ALLOWED),
    ],
)
def test_strict_refuses_a_change_that_escaped_the_gate(old: Object | None, new: Object, answer: Review) -> None:
    """Validation runs after mutation: what the gate would still change was not seen by it, and a pause that is missing
    was taken out by somebody who came later."""
    assert review(write(old, new), strict=True) == answer
    assert review(write(old, new)) == ALLOWED


FENCED = Review(False, "the controller may only set the record's declared or stable template", reason="Fenced")
HELD = rolling(record())
OTHERS = rolling(record(uid="d-9"))


@pytest.mark.parametrize(
    ("old", "version", "answer"),
    [
        (HELD, "v1", ALLOWED),
        (HELD, "v2", ALLOWED),
        (HELD, "v3", FENCED),
        (rolling(record(Phase.RETREATING), "v1", Fields()), "v2", ALLOWED),
        (rolling(record(Phase.RETREATING), "v1", Fields()), "v3", FENCED),
        (deployment(), "v2", FENCED),
        (deployment(), "v1", ALLOWED),
        (noted(HELD, record="damaged"), "v1", FENCED),
        (OTHERS, "v1", FENCED),
    ],
)
def test_our_own_identity_may_declare_two_templates_only(old: Object, version: str, answer: Review) -> None:
    """A stolen token of the controller starts no other image; the record is read from the stored object."""
    new = deepcopy(old)
    new["spec"]["template"] = template(version)
    assert fence(write(old, new, username=keys.CONTROLLER)) == answer
    assert fence(write(old, new)) == ALLOWED


@pytest.mark.parametrize("objects", [(deployment(), None), (None, deployment())])
def test_the_fence_has_nothing_to_say_without_two_templates(objects: Any) -> None:
    """RBAC lets the controller neither create nor delete a Deployment."""
    assert fence(write(*objects, username=keys.CONTROLLER)) == ALLOWED


V3 = template_hash(template("v3"))
UNREADABLE = Review(False, "the controller may only change a record that can be read, into one", reason="Fenced")
UNDECLARED = Review(False, "the controller may only record what is declared", reason="Fenced")
IN_ONE_WRITE = Review(
    False, "the controller may not choose the stable version and show it in one write", reason="Fenced"
)


@pytest.mark.parametrize(
    ("old", "new", "answer"),
    [
        (HELD, rolling(record(Phase.OPENING)), ALLOWED),
        (HELD, noted(HELD, record=None), ALLOWED),
        (HELD, noted(HELD, record="damaged"), UNREADABLE),
        (HELD, OTHERS, UNREADABLE),
        (OTHERS, HELD, UNREADABLE),
        (deployment(), HELD, FENCED),
        (deployment("v2"), HELD, UNREADABLE),
        (HELD, rolling(record(declared=V3)), UNDECLARED),
        (rolling(record(), "v3"), rolling(record(declared=V3), "v3"), ALLOWED),
        (HELD, rolling(record(stable=V3)), ALLOWED),
        (HELD, rolling(record(stable=V3), "v1"), IN_ONE_WRITE),
    ],
)
def test_our_own_identity_does_not_choose_the_versions(old: Object, new: Object, answer: Review) -> None:
    """Otherwise the rule about templates would be worth one write more."""
    assert fence(write(old, new, username=keys.CONTROLLER)) == answer
    assert fence(write(old, new)) == ALLOWED
