"""Operations by name: only what is missing, parents only where absent, and nothing else touched."""

from copy import deepcopy
from typing import Any

import pytest

from penstock.core import patch
from penstock.core.patch import Operation, Path
from tests.core.shop import applied


@pytest.mark.parametrize(
    ("path", "pointer"),
    [
        ((), ""),
        (("spec", "paused"), "/spec/paused"),
        (("metadata", "annotations", "penstock.dev/record"), "/metadata/annotations/penstock.dev~1record"),
        (("a~b", "~1", ""), "/a~0b/~01/"),
    ],
)
def test_a_pointer_escapes_what_a_name_may_hold(path: Path, pointer: str) -> None:
    """`~` first: otherwise a name that holds `~1` would become a slash."""
    assert patch.pointer(path) == pointer


@pytest.mark.parametrize(
    ("obj", "value"),
    [
        ({"a": {"b": 1}}, 1),
        ({"a": {"b": False}}, False),
        ({"a": {"b": None}}, None),
        ({"a": None}, None),
        ({"a": [1]}, None),
        ({"a": "b"}, None),
        ({}, None),
        (None, None),
    ],
)
def test_absent_null_and_no_object_read_the_same(obj: dict[str, Any] | None, value: object) -> None:
    """API objects write an absent map in three ways."""
    assert patch.value_at(obj, ("a", "b")) == value


@pytest.mark.parametrize(
    ("obj", "wanted", "operations"),
    [
        ({"a": {"b": 1}}, [(("a", "b"), 1)], ()),
        ({}, [(("a", "b"), None)], ()),
        ({"a": {"b": 1}}, [(("a", "b"), 2)], ({"op": "replace", "path": "/a/b", "value": 2},)),
        ({"a": {}}, [(("a", "b"), 2)], ({"op": "add", "path": "/a/b", "value": 2},)),
        ({"a": {"b": None}}, [(("a", "b"), 2)], ({"op": "add", "path": "/a/b", "value": 2},)),
        ({"a": {"b": 1}}, [(("a", "b"), None)], ({"op": "remove", "path": "/a/b"},)),
        ({}, [(("a", "b", "c"), 2)], ({"op": "add", "path": "/a", "value": {"b": {"c": 2}}},)),
        ({"a": None}, [(("a", "b"), 2)], ({"op": "add", "path": "/a", "value": {"b": 2}},)),
        (
            {},
            [(("a", "b"), 1), (("a", "c"), 2)],
            ({"op": "add", "path": "/a", "value": {"b": 1}}, {"op": "add", "path": "/a/c", "value": 2}),
        ),
        (
            {"a": {"b": 1, "c": 2}},
            [(("a", "b"), None), (("a", "c"), 3)],
            ({"op": "remove", "path": "/a/b"}, {"op": "replace", "path": "/a/c", "value": 3}),
        ),
        ({"a": {"b/c": 1}}, [(("a", "b/c"), {"d": 1})], ({"op": "replace", "path": "/a/b~1c", "value": {"d": 1}},)),
        ({"a": 1}, [(("a",), "1")], ({"op": "replace", "path": "/a", "value": "1"},)),
    ],
)
def test_operations_say_what_is_missing(
    obj: dict[str, Any], wanted: list[tuple[Path, Any]], operations: tuple[Operation, ...]
) -> None:
    """They apply, in this order, and asked for the result again there are none."""
    before = deepcopy(obj)
    assert patch.operations(obj, wanted) == operations
    assert obj == before
    assert patch.operations(applied(obj, operations), wanted) == ()


def test_what_is_not_named_survives() -> None:
    """Fields of a newer API, and annotations of other tools, are none of our business."""
    obj = {"metadata": {"annotations": {"other": "1"}}, "spec": {"futureField": {"deep": [None]}, "paused": True}}
    made = patch.operations(obj, [(("spec", "paused"), None), (("metadata", "annotations", "ours"), "2")])
    assert applied(obj, made) == {
        "metadata": {"annotations": {"other": "1", "ours": "2"}},
        "spec": {"futureField": {"deep": [None]}},
    }


def test_a_test_operation_carries_the_value_that_was_seen() -> None:
    """The fencing of former leaders hangs on it."""
    assert patch.test(("metadata", "annotations", "x/y"), "1") == {
        "op": "test",
        "path": "/metadata/annotations/x~1y",
        "value": "1",
    }
