"""What is fuzzed: everything that reads text which a tenant, a pod or a caller of the webhook has written.

A target is given bytes and returns; it may raise the errors that it declares, and nothing else.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress

from controller.sources import exposition
from controller.stored import restore
from penstock.core import history, pattern, plan, record
from penstock.core.guard import record_of
from penstock.core.units import AnnotationError
from penstock.metrics import configuration
from penstock.metrics.counting import Unusable
from penstock.recorded import RecordedError
from penstock.recorded import decode as recorded
from webhook import review
from webhook.decisions import decisions, failed

Target = Callable[[bytes], None]

DECISIONS = decisions(strict=True, clock=lambda: 1_800_000_000.0)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode("utf-8")


def annotations(data: bytes) -> None:
    """One value, for every key."""
    text = _text(data)
    for key in (*plan.PARSERS, "penstock.dev/limit.queue"):
        with suppress(AnnotationError):
            plan.check(key, text)
            plan.plan({key: text})


def regular(data: bytes) -> None:
    """A pattern and a value, in one text."""
    wanted, _, value = _text(data).partition("\n")
    with suppress(pattern.PatternError):
        pattern.compiled(wanted).matches(value)


def records(data: bytes) -> None:
    """A record that is read is written the same."""
    text = _text(data)
    with suppress(record.RecordError):
        known = record.decode(text)
        assert record.decode(record.encode(known)) == known
    record_of({"metadata": {"uid": "d-1", "annotations": {"penstock.dev/record": text}}})
    history.read({"data": {"one": text}})
    restore({"metadata": {"annotations": {"penstock.dev/evidence": text}}}, "a")
    with suppress(RecordedError):
        recorded(data)


def page(data: bytes) -> None:
    """What a pod shows."""
    for openmetrics in (False, True):
        with suppress(Unusable):
            exposition.samples(data, ("http_requests_total", "up"), 1_800_000_000.0, openmetrics=openmetrics)


def settings(data: bytes) -> None:
    """The administrator's file; a mistake in it is one clear error."""
    with suppress(configuration.ConfigurationError):
        configuration.parse(data)


def reviews(data: bytes) -> None:
    """A body for each path of the webhook: malformed, or answered in the form that the API server wants."""
    try:
        asked = review.decode(data)
    except review.Malformed:
        return
    for path, decide in DECISIONS.items():
        try:
            answer = decide(asked)
        except Exception as error:  # of an object that no API server would send: the write passes, with a warning
            answer = failed(path, repr(error))
        answered = json.loads(review.encode(asked.uid, answer))
        assert answered["response"]["uid"] == asked.uid, path


TARGETS: Mapping[str, Target] = {
    "annotations": annotations,
    "regular": regular,
    "records": records,
    "page": page,
    "settings": settings,
    "reviews": reviews,
}
