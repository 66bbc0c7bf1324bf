"""Over a real TLS connection: what the API server gets, and what anybody else who reaches the port gets."""

import base64
import json
import logging
import resource
import ssl
import time
from pathlib import Path

import pytest

from tests.webhook.reviews import deployment, nested, request, review
from tests.webhook.running import Running
from webhook.app import BODY_LIMIT


def test_a_template_change_comes_back_gated(webhook: Running) -> None:
    """The whole way once: TLS, HTTP, review, core, patch."""
    status, answer = webhook.post("/mutate", review())
    patch = json.loads(base64.b64decode(answer["response"]["patch"]))
    assert (status, answer["response"]["uid"], answer["response"]["allowed"]) == (200, "r-1", True)
    assert {"op": "add", "path": "/spec/paused", "value": True} in patch


@pytest.mark.parametrize("path", ["/mutate", "/guard", "/validate"])
def test_an_object_that_breaks_the_core_is_allowed_with_a_warning(webhook: Running, path: str) -> None:
    """No API server sends it, but a bug of ours would look the same: never a 500, never a traceback."""
    broken = deployment()
    broken["metadata"]["annotations"] = {"penstock.dev/steps": ["no", "text"]}
    del broken["spec"]["template"]
    status, answer = webhook.post(path, review(request(object=broken)))
    assert (status, answer["response"]["allowed"]) == (200, True)
    if path != "/guard":
        warning = "penstock left this change as it is: an internal error, which is in the webhook's log"
        assert answer["response"]["warnings"] == [warning]


def test_a_body_that_is_no_review_gets_a_status(webhook: Running) -> None:
    """In the form that every Kubernetes client can show."""
    for body in (b"", b"{", b'{"kind":"AdmissionReview"}', b"[" * 100_000):
        status, answer = webhook.post("/mutate", body)
        assert status == 400
        assert answer["kind"] == "Status"
        assert answer["message"].startswith("this is no AdmissionReview: ")


def test_a_deep_object_is_answered_in_the_form_of_a_review(webhook: Running) -> None:
    """The core is recursive; what would exhaust it does not reach it."""
    status, answer = webhook.post("/mutate", nested(500))
    warning = "penstock left this change as it is: the object is nested deeper than 64 levels"
    assert (status, answer["response"]) == (200, {"uid": "r-1", "allowed": True, "warnings": [warning]})
    status, answer = webhook.post("/fence", nested(500))
    assert (status, answer["response"]["allowed"]) == (200, False)


def test_a_large_update_is_read(webhook: Running) -> None:
    """Two objects of 3 MiB each, the most that an API server takes."""
    big = deployment("shop:2")
    big["metadata"]["annotations"] = {"note": "x" * 3 * 1024 * 1024}
    body = review(request(object=big, oldObject=big))
    assert 6_000_000 < len(body) < BODY_LIMIT
    assert webhook.post("/mutate", body)[0] == 200


def test_a_body_that_announces_too_much_is_refused_before_its_first_byte(webhook: Running) -> None:
    """Nothing of it is ever in memory."""
    with webhook.connect() as connection:
        connection.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nContent-Length: 8388608\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in head
    assert json.loads(body)["message"] == "a review of more than 7340032 bytes is not read"


def test_a_body_that_does_not_say_how_long_it_is_is_refused_on_the_way(webhook: Running) -> None:
    """The answer comes after 7 MiB, whatever follows is thrown away, and soon the connection ends."""
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    before, begun = resident(), time.monotonic()
    with webhook.connect() as connection:
        connection.sendall(b"POST /mutate HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(BODY_LIMIT // 65536 + 2):
            connection.sendall(chunk)
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
        with pytest.raises(OSError, match=r"."):
            endless(connection, chunk)
    assert time.monotonic() - begun < 5
    assert resident() - before < 50 * 2**20


def endless(connection: ssl.SSLSocket, chunk: bytes) -> None:
    """Send until it fails, but not for ever."""
    end = time.monotonic() + 8
    while time.monotonic() < end:
        connection.sendall(chunk)


def resident() -> int:
    """Bytes of memory that this process has, webhook and client together."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/mutate", 405),
        ("GET", "/metrics", 404),
        ("GET", "/docs", 404),
        ("GET", "/openapi.json", 404),
        ("POST", "/", 404),
    ],
)
def test_there_is_nothing_else_on_the_port(webhook: Running, method: str, path: str, status: int) -> None:
    """Every pod of the cluster can reach it."""
    connection = webhook.http()
    connection.request(method, path)
    assert connection.getresponse().status == status
    connection.close()


def test_what_is_no_http_ends_the_connection_without_a_line_in_the_log(
    webhook: Running, caplog: pytest.LogCaptureFixture
) -> None:
    """Else anybody on the network could fill it."""
    with webhook.connect() as connection, caplog.at_level(logging.ERROR):
        connection.sendall(b"\x00\x01 nonsense\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 400 ")
        assert connection.recv(4096) == b""
    assert caplog.records == []


def test_calls_are_counted_by_path_operation_decision_and_dry_run(webhook: Running) -> None:
    """The words of an unknown caller never become a label."""
    dry = review(request(dryRun=True))
    odd = review(request(operation="x" * 50))
    for body in (dry, odd, b"{"):
        webhook.post("/mutate", body)
    found = webhook.metrics()
    for labels in (
        'decision="Gated",dry_run="true",operation="UPDATE",path="/mutate"',
        'decision="Gated",dry_run="false",operation="other",path="/mutate"',
        'decision="Malformed",dry_run="unknown",operation="unknown",path="/mutate"',
    ):
        assert f"penstock_admission_requests_total{{{labels}}} " in found
    assert 'penstock_admission_duration_seconds_count{path="/mutate"}' in found
