"""Half a character in an annotation: Python reads it, and fails wherever it is written again."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from penstock.core import history
from penstock.core.fields import Fields
from penstock.core.history import Entry, Result
from penstock.core.jsontext import parsed
from penstock.core.plan import request
from penstock.core.reasons import Reason
from penstock.core.record import RecordError, declared, decode, encode, saved_in
from penstock.core.units import AnnotationError
from tests.core.shop import record, template

HALF = "\ud800"


@pytest.mark.parametrize("text", ['"\\ud800"', '["\\udfff\\ud800"]', '{"\\uD83D": 1}', '{"a": {"b": ["x\\ud83d"]}}'])
def test_half_a_character_is_no_text(text: str) -> None:
    """Wherever it stands."""
    with pytest.raises(ValueError, match="surrogates not allowed"):
        parsed(text)


@pytest.mark.parametrize("value", ["💥", "\\ud800", "\u0007é", {"ü": [None, 1.5]}])
def test_whole_characters_are_read_however_they_are_written(value: Any) -> None:
    """A pair of halves is one character; a backslash is one, too."""
    assert parsed(json.dumps(value)) == parsed(json.dumps(value, ensure_ascii=False)) == value


def _record() -> None:
    decode(json.dumps(json.loads(encode(record())) | {"failed": HALF}))


def _request() -> None:
    request(json.dumps({"do": "approve", "rollout": HALF, "step": 1}))


@pytest.mark.parametrize("read", [_record, _request])
def test_records_and_requests_with_it_are_refused(read: Callable[[], None]) -> None:
    """A copy of a record, forged on a ReplicaSet, ended the controller with all rollouts when its end was written to
    the history."""
    with pytest.raises((RecordError, AnnotationError)) as refused:
        read()
    str(refused.value).encode()  # and the refusal itself can be told


def test_what_is_read_where_it_can_be_is_not_read_with_it() -> None:
    """The ways out of a record that is none, of a template put aside, and of an entry that somebody has edited."""
    own = Fields("RollingUpdate", "25%", 1, 10, 600, None)
    assert saved_in(json.dumps({"saved": own.json(), "failed": HALF})) == own  # nothing else of it is read
    for name in ("type", "surge", "unavailable"):
        assert saved_in(json.dumps({"saved": {**own.json(), name: HALF}})) is None
    assert declared(json.dumps(template("v2") | {"x": HALF}), record()) is None
    entry = Entry("3f2a9c1e", Result.REJECTED, Reason.CRASH_LOOP, HALF, 1, 2)
    written = json.dumps({"v": history.VERSION, **replace(entry).__dict__})
    assert history.decode(written) is None
    assert history.decode(written.replace("\\ud800", "")) == replace(entry, message="")
