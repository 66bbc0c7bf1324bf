"""What is kept of a rollout that has ended: told right, bounded, and never an error whatever stands there."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.core import history, keys
from penstock.core.gate import previous
from penstock.core.history import KEPT, MOST, Entry, Result, decode, encode, found, read, rejection, surplus, written
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from tests.core.shop import NOW, UID, V1, V2, V3, deployment, noted, record, rolling, template

ENTRY = Entry("3f2a9c1e", Result.REJECTED, Reason.CRASH_LOOP, "step 1 of 3: pods crash", 100, 160, ("web:v2",))

entries = st.builds(
    Entry,
    st.text(max_size=9),
    st.sampled_from(Result),
    st.sampled_from(Reason),
    st.text(max_size=20),
    st.integers(0, 1 << 39),
    st.integers(0, 1 << 39),
    st.lists(st.text(max_size=5), max_size=3).map(tuple),
)


@given(entries)
def test_what_is_written_is_read_back(one: Entry) -> None:
    """Also names from the cluster with quotes and line ends in them."""
    assert decode(encode(one)) == one


GOOD = encode(ENTRY)
BAD = (None, "", "[]", "{}", "nonsense", '{"v":2}', "[" * 100_000)
EDITED = (("160", "-1"), ("160", "1.5"), ("160", "true"), ("rejected", "lost"), ("CrashLoop", "?"), ('["web:v2"]', "7"))


@pytest.mark.parametrize("text", [*BAD, *(GOOD.replace(*change) for change in EDITED)])
def test_what_somebody_has_edited_is_passed_over(text: str | None) -> None:
    """A ConfigMap is open to everybody in the namespace."""
    assert decode(text) is None
    assert read({"data": {"a": text, ENTRY.key: encode(ENTRY)}}) == (ENTRY,)


def test_nothing_is_read_from_nothing() -> None:
    """No ConfigMap, and one without data, as after `kubectl edit`."""
    assert (read(None), read({}), read({"data": None})) == ((), (), ())


def test_the_newest_are_shown_and_the_oldest_go_in_bulk() -> None:
    """A second write at every end would double what a history costs."""
    many = [replace(ENTRY, rollout=f"r{n:02}", started=n, ended=n + 5) for n in range(MOST + 1)]
    data = {one.key: encode(one) for one in many}
    assert read({"data": data}) == tuple(reversed(many[-KEPT:]))
    assert surplus({"data": dict(list(data.items())[:MOST])}) == ()
    assert surplus({"data": data}) == tuple(one.key for one in many[:-KEPT])
    damaged = {**dict(list(data.items())[1:]), "scribble": "?"}
    assert surplus({"data": damaged})[0] == "scribble"


def test_a_full_history_is_far_from_the_limit_of_an_object() -> None:
    """One MiB, and it is patched as a whole."""
    longest = replace(ENTRY, message="ü" * 400, images=("i" * 200,) * history.IMAGES)
    assert len(encode(longest).encode()) * MOST < 100_000


def test_another_try_is_another_entry_and_the_same_one_is_the_same() -> None:
    """What a restarted controller writes again must not be told twice."""
    known = record(Phase.REJECTED, failed="pods crash", note="CrashLoop")
    first, again = (rejection(known, NOW, template("v2")) for _ in range(2))
    retried = rejection(replace(known, started=NOW + 60), NOW + 90, template("v2"))
    assert (first.key, first.seconds, first.images) == (again.key, 120, ("web:v2",))
    assert retried.key != first.key


def test_a_rejection_has_its_reason_also_where_that_is_of_another_version() -> None:
    """A record that a newer Penstock wrote may name a reason that this one does not know."""
    known = record(Phase.REJECTED, failed="a person took it back", note="Aborted")
    assert rejection(known, NOW, {}).reason is Reason.ABORTED
    assert rejection(replace(known, note="Unheard"), NOW, {}).reason is Reason.REJECTED


PROMOTED = noted(deployment("v2"), previous=previous(V1, NOW + 60))


@pytest.mark.parametrize(
    ("obj", "now", "failed", "result", "reason"),
    [
        (PROMOTED, None, "", "promoted", Reason.PROMOTED),
        (deployment("v2"), None, "", "released", Reason.RELEASED),
        (deployment("v2"), None, "pods crash", "released", Reason.FAILED_RELEASED),
        (deployment("v2"), record(Phase.LEAVING), "", "released", Reason.RELEASED),
        (deployment("v1"), None, "", "reverted", Reason.REVERTED),
        (deployment("v1"), record(Phase.LEAVING), "pods crash", "reverted", Reason.REVERTED),
        (deployment("v3"), None, "", "superseded", Reason.SUPERSEDED),
        (rolling(record(declared=V3), "v3"), record(id="b", declared=V3), "", "superseded", Reason.SUPERSEDED),
        (rolling(record(declared=V3), "v3"), record(id="b", declared=V3, stable=V2), "", "promoted", Reason.PROMOTED),
    ],
)
def test_an_end_that_nobody_saw_is_told_by_what_is_there_now(
    obj: dict[str, Any], now: Any, failed: str, result: str, reason: Reason
) -> None:
    """Webhook, a person or a dead controller ended it."""
    one = found(record(failed=failed), obj, now, NOW, template("v2"))
    assert (one.result, one.reason, one.rollout, one.seconds) == (result, reason, "3f2a9c1e", 120)
    assert ("pods crash" in one.message) is bool(failed)


def test_a_rollout_that_was_never_opened_has_no_duration() -> None:
    """Gated and superseded before a pod of it ran."""
    assert found(record(Phase.PENDING), deployment("v3"), None, NOW, {}).seconds is None


def test_the_configmap_belongs_to_the_deployment() -> None:
    """Garbage collection takes it along; the label is how uninstall finds it."""
    body = written("shop", "web", UID, (ENTRY,))
    meta = body["metadata"]
    assert (meta["name"], meta["labels"]) == ("penstock-history-web", {keys.HISTORY: "true"})
    assert meta["ownerReferences"] == [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "web", "uid": UID}]
    assert json.loads(body["data"]["3f2a9c1e.100"])["result"] == "rejected"
    longest = history.name("d" * 253)
    assert len(longest) <= 253
    assert longest != history.name("d" * 252 + "e")
