"""Paths and pure functions, and what happens when one of those fails."""

import pytest

from penstock.core import keys
from penstock.core.gate import previous
from penstock.core.patch import value_at
from penstock.core.template import template_hash
from tests.webhook.reviews import deployment, request, review
from webhook.decisions import decisions, failed
from webhook.review import Answer, decode

NOW = 1_800_000_000.0
FORMER = deployment("shop:2")


def decide(path: str, *, strict: bool = False, **changes: object) -> Answer:
    return decisions(strict=strict, clock=lambda: NOW)[path](decode(review(request(**changes))))


def test_each_path_has_its_own_question() -> None:
    """A template change from rest, asked on every path; the namespace decides which of them is called."""
    found = {path: decide(path).reason for path in decisions(strict=False)}
    assert found == {"/mutate": "Gated", "/guard": "Untouched", "/validate": "Allowed", "/fence": "Allowed"}


def test_the_gate_pauses_and_marks() -> None:
    """What arrives in the cluster: paused, with our label and the record."""
    paths = [operation["path"] for operation in decide("/mutate").patch]
    assert "/spec/paused" in paths
    assert any(path.startswith("/metadata/labels") for path in paths)
    assert any(path.startswith("/metadata/annotations") for path in paths)


@pytest.mark.parametrize("wrong", [600.0, -600.0])
def test_a_clock_ten_minutes_wrong_moves_the_end_of_the_way_back_and_nothing_else(wrong: float) -> None:
    """Records get their times from the controller; docs/guide/security.md says so."""
    asked = decode(review(request()))
    right, other = decisions(strict=True, clock=lambda: NOW), decisions(strict=True, clock=lambda: NOW + wrong)
    assert {path: decide(asked) for path, decide in other.items()} == {p: decide(asked) for p, decide in right.items()}
    old = deployment()
    old["metadata"]["annotations"] = {keys.PREVIOUS: previous(template_hash(FORMER["spec"]["template"]), NOW)}
    back = decode(review(request(oldObject=old)))
    assert [d["/mutate"](back).reason for d in (right, other)] == ["Gated", "Gated" if wrong > 0 else "FastRollback"]


def test_strict_refuses_what_the_gate_should_have_seen() -> None:
    """Validation runs after mutation; a change that is still un-gated then has escaped."""
    assert decide("/validate").allowed
    found = decide("/validate", strict=True)
    assert (found.allowed, found.reason) == (False, "NotGated")


def test_bad_annotations_are_refused_with_their_name() -> None:
    """The message is what the user gets to see."""
    new = deployment()
    new["metadata"]["annotations"] = {keys.STEPS: "1, fifty"}
    found = decide("/validate", object=new)
    assert (found.allowed, found.reason) == (False, "BadAnnotation")
    assert keys.STEPS in found.message


def test_our_own_identity_is_fenced_and_otherwise_left_alone() -> None:
    """A stolen token of the controller may not start another image."""
    ours = {"userInfo": {"username": keys.CONTROLLER}}
    found = {path: decide(path, **ours) for path in decisions(strict=True)}
    assert [found[path] for path in ("/mutate", "/guard")] == [Answer(reason="Untouched")] * 2
    assert found["/validate"].allowed
    assert (found["/fence"].allowed, found["/fence"].reason) == (False, "Fenced")


@pytest.mark.parametrize("path", ["/mutate", "/guard", "/validate"])
def test_a_failure_allows_the_write_and_says_so(path: str) -> None:
    """Our mistake must never stop somebody's deployment."""
    answer = failed(path, "no reason")
    assert answer == Answer(warnings=("penstock left this change as it is: no reason",), reason="Failed")


def test_a_failure_of_the_fence_refuses() -> None:
    """It asks only about our own controller, and refusing it leaves every rollout where it stands."""
    assert failed("/fence", "no reason") == Answer(False, message="penstock: no reason", reason="Failed")


def test_the_same_question_twice_changes_nothing_more() -> None:
    """Two of our entries may be asked about one write; the second sees what the first made of it."""
    first = decide("/mutate")
    new = deployment("shop:2")
    for operation in first.patch:
        _set(new, operation["path"], operation.get("value"))
    assert value_at(new, ("spec", "paused")) is True
    assert decide("/mutate", object=new).patch == ()


def _set(obj: dict[str, object], pointer: str, value: object) -> None:
    *parents, last = [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
    for part in parents:
        obj = obj[part]  # type: ignore[assignment]
    obj[last] = value
