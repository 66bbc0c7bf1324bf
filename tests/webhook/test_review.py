"""Bytes in, bytes out: every odd body gets an answer that an API server understands."""

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.core.admission import Request
from tests.webhook.reviews import deployment, nested, request, review
from webhook.review import DEEPEST, WARNING, WARNINGS, Answer, Malformed, decode, encode, lines

NAN = review().replace(b'"replicas": 10', b'"replicas": NaN')


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in request().items() if key != name}


def test_everything_the_core_asks_for_is_taken_from_the_review() -> None:
    """The seam between the API server's words and ours."""
    assert decode(review(request(dryRun=True))) == Request(
        uid="r-1",
        operation="UPDATE",
        kind="Deployment",
        namespace="shop",
        name="web",
        username="anna",
        field_manager="kubectl-set",
        dry_run=True,
        object=deployment("shop:2"),
        old=deployment(),
    )


def test_what_kubernetes_leaves_out_or_sends_as_null_is_empty() -> None:
    """On CREATE there is no old object, a Namespace has no namespace, and options may be null."""
    kind = {"group": "", "version": "v1", "kind": "Namespace"}
    bare = {"uid": "r-2", "operation": "CREATE", "kind": kind, "object": {}, "oldObject": None, "options": None}
    assert decode(review(bare)) == Request("r-2", "CREATE", "Namespace", "", "", "", "", False, {}, None)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"kind": {"group": "shop.example", "version": "v1", "kind": "Deployment"}}, "Deployment.shop.example"),
        ({"kind": {"group": "apps", "version": "v1beta1", "kind": "Deployment"}}, "Deployment.apps"),
        ({"subResource": "scale"}, "Deployment.apps"),
    ],
)
def test_what_only_looks_like_a_deployment_is_none(changes: dict[str, Any], kind: str) -> None:
    """Another group's Deployment has other fields; a patch for it would be nonsense."""
    assert decode(review(request(**changes))).kind == kind


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"kind":"AdmissionReview"',
        NAN,
        review().replace(b'"shop"', b'"\\ud800"', 1),
        review().replace(b"10", b"9" * 5000, 1),
        b"[" * 100_000,
        nested(50_000),
        review(apiVersion="admission.k8s.io/v1beta1"),
        review(kind="ConversionReview"),
        review(request=None),
        review(without("uid")),
        review(request(uid="")),
        review(request(uid="x" * 1000)),
        review(request(uid=7)),
        review(request(userInfo=[])),
    ],
    ids=lambda body: repr(body[:30]),
)
def test_a_body_that_is_no_review_cannot_be_answered_and_says_why(body: bytes) -> None:
    """Without a uid there is nothing an API server could match; the words go into its log."""
    with pytest.raises(Malformed) as problem:
        decode(body)
    assert problem.value.uid == ""
    assert 10 < len(str(problem.value)) < 200


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (review(request(object=[])), "the object is not an object"),
        (review(request(oldObject="x")), "the object is not an object"),
        (nested(DEEPEST + 1), "the object is nested deeper than 64 levels"),
        (nested(800), "the object is nested deeper than 64 levels"),
    ],
)
def test_a_review_of_something_unreadable_keeps_its_uid(body: bytes, message: str) -> None:
    """It gets a valid answer: allowed, with a warning."""
    with pytest.raises(Malformed) as problem:
        decode(body)
    assert (problem.value.uid, str(problem.value)) == ("r-1", message)


def test_the_deepest_that_is_allowed_is_read() -> None:
    """The limit is far from any real object, and exact."""
    assert decode(nested(DEEPEST - 1)).object is not None


@given(st.binary(max_size=300))
def test_any_bytes_are_malformed_or_a_request(body: bytes) -> None:
    """Nothing else may come out of the port that every pod can reach."""
    with pytest.raises(Malformed):
        decode(body)


@settings(max_examples=25)
@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=5))
def test_any_value_in_any_field_is_malformed_or_a_request(value: Any) -> None:
    """Types are checked before anything is decided."""
    for field in ("uid", "operation", "kind", "namespace", "userInfo", "options", "dryRun", "object"):
        try:
            assert isinstance(decode(review(request(**{field: value}))), Request)
        except Malformed:
            continue


def test_an_answer_has_the_form_that_the_api_server_wants() -> None:
    """patch in base64 beside its type, no empty fields, the uid of the question."""
    operation = {"op": "add", "path": "/spec/paused", "value": True}
    answer = json.loads(encode("r-1", Answer(patch=(operation,), warnings=("look",), reason="Gated")))
    assert json.loads(base64.b64decode(answer["response"].pop("patch"))) == [operation]
    assert answer == {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "response": {
            "uid": "r-1",
            "allowed": True,
            "patchType": "JSONPatch",
            "warnings": ["look"],
            "auditAnnotations": {"decision": "Gated"},
        },
    }


def test_a_refusal_says_what_to_correct() -> None:
    """kubectl prints status.message after the words `denied the request`."""
    answer = json.loads(encode("r-1", Answer(allowed=False, message="steps: column 4", reason="BadAnnotation")))
    assert answer["response"] == {
        "uid": "r-1",
        "allowed": False,
        "status": {"message": "steps: column 4", "code": 403, "reason": "Forbidden"},
        "auditAnnotations": {"decision": "BadAnnotation"},
    }


def test_nothing_to_say_is_said_shortly() -> None:
    """Most answers are this one."""
    answer = json.loads(encode("r-1", Answer()))
    assert answer["response"] == {"uid": "r-1", "allowed": True}


@given(st.lists(st.text(max_size=600), max_size=12))
def test_warnings_are_short_lines_that_a_terminal_can_show(warnings: list[str]) -> None:
    """Kubernetes cuts what is longer, and drops a header with control characters altogether."""
    found = lines(warnings)
    assert len(found) <= WARNINGS
    assert all(0 < len(line) <= WARNING and line.isprintable() for line in found)


def test_a_long_warning_is_split_between_words() -> None:
    """Cut in the middle, the command that it names could not be copied."""
    text = "nothing waits for an approval, nothing was changed; to go back: penstock abort web -n shop " * 2
    assert " ".join(lines([text])) == text.strip()
    assert max(map(len, lines([text]))) <= WARNING
