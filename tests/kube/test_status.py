"""Refusals as the API server of 1.37 words them, and as others do."""

from typing import Any

import msgspec
import pytest

from penstock.kube import ApiError, Conflict, Denied, Gone, Invalid, NotFound, Unavailable
from penstock.kube.status import asks, refused

NOT_APPLIED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "the server rejected our request due to an error in our request",
    "reason": "Invalid",
    "details": {},
    "code": 422,
}
NEGATIVE = {
    **NOT_APPLIED,
    "message": 'Deployment.apps "web" is invalid: spec.replicas: Invalid value: -3: must be greater than or equal to 0',
    "details": {
        "name": "web",
        "group": "apps",
        "kind": "Deployment",
        "causes": [{"reason": "FieldValueInvalid", "message": "Invalid value: -3", "field": "spec.replicas"}],
    },
}
MISFIT = {
    **NOT_APPLIED,
    "message": ' "" is invalid: patch: Invalid value: "{\\"data\\":{\\"key\\":\\"c2VjcmV0\\"}}": json: cannot '
    "unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    "details": {"causes": [{"reason": "FieldValueInvalid", "message": "…", "field": "patch"}]},
}


def error(code: int, body: Any, *, tested: bool = False, **headers: str) -> ApiError:
    raw = body if isinstance(body, bytes) else msgspec.json.encode(body)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return refused(code, "Phrase", sent, raw, "patch /x", tested=tested)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (400, Invalid),
        (401, Denied),
        (403, Denied),
        (404, NotFound),
        (405, Invalid),
        (408, Unavailable),
        (409, Conflict),
        (410, Gone),
        (413, Invalid),
        (415, Invalid),
        (422, Invalid),
        (429, Unavailable),
        (500, Unavailable),
        (502, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
        (302, Unavailable),
    ],
)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"[]", b'{"kind":"Status"}', b'{"kind":"Status","details":null}']
)
def test_the_code_decides_what_to_do_next(code: int, kind: type[ApiError], body: bytes) -> None:
    """Whatever the body is, also none."""
    caught = error(code, body)
    assert (type(caught), caught.status, caught.request) == (kind, code, "patch /x")


@pytest.mark.parametrize(
    ("body", "tested", "kind"),
    [
        (NOT_APPLIED, True, Conflict),
        (NOT_APPLIED, False, Invalid),
        ({**NOT_APPLIED, "details": None}, True, Conflict),
        (NEGATIVE, True, Invalid),
        (MISFIT, True, Invalid),
    ],
)
def test_a_failed_test_of_a_patch_is_a_conflict(body: Any, tested: bool, kind: type[ApiError]) -> None:
    """Our fence: whoever takes it for a broken object would give up instead of looking again."""
    assert type(error(422, body, tested=tested)) is kind


def test_a_refused_object_is_not_quoted() -> None:
    """The API server puts the whole object into this message, and the object may be a Secret."""
    assert str(error(422, MISFIT)) == (
        "patch /x: the patched object does not fit its kind: json: cannot unmarshal string into Go struct field "
        "DeploymentSpec.spec.replicas of type int32 (422 Invalid)"
    )
    assert str(error(422, NEGATIVE)) == f"patch /x: {NEGATIVE['message']} (422 Invalid)"


@pytest.mark.parametrize(
    ("headers", "details", "seconds"),
    [
        ({}, {}, None),
        ({"Retry_After": "5"}, {}, 5.0),
        ({}, {"retryAfterSeconds": 3}, 3.0),
        ({"Retry_After": "5"}, {"retryAfterSeconds": 3}, 5.0),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, {"retryAfterSeconds": 3}, 3.0),
        ({"Retry_After": "-1"}, {}, None),
        ({"Retry_After": "²"}, {}, None),
    ],
)
def test_the_wish_to_be_asked_later(headers: dict[str, str], details: Any, seconds: float | None) -> None:
    """In the header, in the body, or not at all."""
    assert error(429, {"kind": "Status", "details": details}, **headers).retry_after == seconds


def test_a_foreign_page_is_quoted_shortly() -> None:
    """Enough to recognise the proxy, not a page of HTML in each log line."""
    page = b"<html>\n  <body>Bad   Gateway" + b"x" * 10_000
    assert (
        error(502, page).message
        == f"the answer is no Kubernetes Status: {('<html> <body>Bad Gateway' + 'x' * 200)[:200]}"
    )


def test_only_a_patch_with_a_test_asks_about_the_present() -> None:
    """Anything else that cannot be applied is a mistake of ours."""
    assert asks([{"op": "add"}, {"op": "test"}])
    assert not asks([{"op": "add"}, {"op": "replace"}])
    assert not asks([])
