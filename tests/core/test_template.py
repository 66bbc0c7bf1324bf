"""Two templates have one name exactly if they give the same pods."""

from copy import deepcopy
from typing import Any

import pytest

from penstock.core.template import RESTART_ANNOTATIONS, digest, loose_hash, plain, template_hash
from tests.core.shop import template

WEB = template("v1")


def labelled(**labels: str) -> dict[str, Any]:
    changed = deepcopy(WEB)
    changed["metadata"]["labels"].update(labels)
    return changed


def annotated(**annotations: str) -> dict[str, Any]:
    changed = deepcopy(WEB)
    changed["metadata"]["annotations"] = annotations
    return changed


@pytest.mark.parametrize(
    "same",
    [
        labelled(**{"pod-template-hash": "5d4f8c"}),
        {**WEB, "metadata": {**WEB["metadata"], "creationTimestamp": None}},
        {**WEB, "metadata": {**WEB["metadata"], "annotations": None}},
        {"spec": {**WEB["spec"], "securityContext": None}, "metadata": WEB["metadata"]},
        {"spec": {"containers": [{"image": "web:v1", "name": "web", "args": None}]}, "metadata": WEB["metadata"]},
    ],
)
def test_the_copy_in_a_replicaset_has_the_same_name(same: dict[str, Any]) -> None:
    """One label more, nulls, another order of keys: the stable version must still be found."""
    assert template_hash(same) == template_hash(WEB)
    assert loose_hash(same) == loose_hash(WEB)


@pytest.mark.parametrize(
    "other",
    [
        template("v2"),
        labelled(tier="1"),
        annotated(note="1"),
        {"metadata": WEB["metadata"], "spec": {"containers": [*WEB["spec"]["containers"], {"name": "side"}]}},
        {"metadata": WEB["metadata"], "spec": {**WEB["spec"], "nodeName": ""}},
    ],
)
def test_another_template_has_another_name(other: dict[str, Any]) -> None:
    """An empty string is a value; only null is nothing."""
    assert template_hash(other) != template_hash(WEB)
    assert loose_hash(other) != loose_hash(WEB)


@pytest.mark.parametrize("key", RESTART_ANNOTATIONS)
def test_a_restart_is_another_template_and_the_same_version(key: str) -> None:
    """Pods are replaced, so it is gated; a rejected version stays rejected however often it is restarted."""
    restarted = annotated(**{key: "2026-11-23T10:00:00Z"})
    assert template_hash(restarted) != template_hash(WEB)
    assert loose_hash(restarted) == loose_hash(WEB)
    assert loose_hash(annotated(**{key: "x", "note": "1"})) == loose_hash(annotated(note="1"))


def test_plain_takes_away_what_the_native_controller_adds_and_nothing_else() -> None:
    """A retreat writes it into the Deployment: an added label would be another template."""
    copy = labelled(**{"pod-template-hash": "5d4f8c"})
    copy["metadata"]["creationTimestamp"] = None
    before = deepcopy(copy)
    assert plain(copy) == WEB
    assert copy == before
    assert plain({"metadata": {"labels": {"pod-template-hash": "1"}}, "spec": {}}) == {"metadata": {}, "spec": {}}
    assert plain({"spec": {}}) == {"metadata": {}, "spec": {}}


def test_a_digest_reads_any_text_and_has_the_length_asked_for() -> None:
    """JSON may bring half a surrogate pair; admission must not fail on it."""
    assert len(digest("\ud800")) == 10
    assert len(digest(["x"], 8)) == 8
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
