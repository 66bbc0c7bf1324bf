"""What was told survives a restart; where it cannot be read or written, news comes twice rather than never."""

import json
from typing import Any, cast

import pytest

from controller.notify import ledger as ledgers
from controller.notify.ledger import Ledger
from penstock.kube import ApiError, Client, NotFound

PATH = "/api/v1/namespaces/penstock-system/configmaps/penstock-notified"


class Shelf:
    """An API server with one ConfigMap, which may fail."""

    def __init__(self, data: dict[str, str] | None = None, *failures: Exception) -> None:
        self.data, self.failures = dict(data or {}), list(failures)

    async def get(self, path: str) -> dict[str, Any]:
        self._ask(path)
        return {"data": self.data} if self.data else {}

    async def merge(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        self._ask(path)
        self.data |= body["data"]
        return {}

    def _ask(self, path: str) -> None:
        assert path == PATH
        if self.failures:
            raise self.failures.pop(0)


def ledger(shelf: Shelf, shard: str = "penstock-controller") -> Ledger:
    return Ledger(cast(Client, shelf), "penstock-system", shard, clock=lambda: 5.0)


AWAY = ApiError(503, "Unavailable", "away")


async def test_what_one_process_was_told_the_next_one_knows() -> None:
    """For each target by itself."""
    shelf = Shelf()
    await ledger(shelf).add("chat", ["k1", "k2"])
    following = ledger(shelf)
    await following.read()

    known = [(t, k) for t in ("chat", "mail") for k in ("k1", "k2", "k3") if following.knows(t, k)]
    assert known == [("chat", "k1"), ("chat", "k2")]


async def test_two_shards_do_not_write_over_each_other() -> None:
    """Each has a key of its own, and nothing else is stated."""
    shelf = Shelf()
    await ledger(shelf, "a").add("chat", ["k1"])
    await ledger(shelf, "b").add("chat", ["k2"])
    assert {name: json.loads(text) for name, text in shelf.data.items()} == {"a": {"chat/k1": 5}, "b": {"chat/k2": 5}}


@pytest.mark.looptime
async def test_an_api_server_that_is_away_is_waited_for() -> None:
    """Else every restart of a cluster would tell everything again."""
    shelf = Shelf({"penstock-controller": '{"chat/k1":1}'}, AWAY, AWAY)
    kept = ledger(shelf)
    await kept.read()
    assert kept.knows("chat", "k1")


@pytest.mark.parametrize(
    "shelf",
    [Shelf(None, NotFound(404, "NotFound", "no")), Shelf({"penstock-controller": "nonsense"}), Shelf()],
    ids=["no ConfigMap", "edited by hand", "empty"],
)
async def test_without_a_readable_memory_it_begins_anew(shelf: Shelf) -> None:
    """At once: news waits meanwhile."""
    kept = ledger(shelf)
    await kept.read()
    await kept.add("chat", ["k1"])
    assert kept.knows("chat", "k1")


async def test_a_memory_that_cannot_be_written_is_kept_by_this_process() -> None:
    """A restart may repeat it, and nothing else."""
    kept = ledger(Shelf(None, AWAY))
    await kept.add("chat", ["k1"])
    assert kept.knows("chat", "k1")


async def test_it_stays_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server takes no more than a megabyte, and nobody looks after it."""
    monkeypatch.setattr(ledgers, "MOST", 3)
    kept = ledger(Shelf())
    for number in range(5):
        await kept.add("chat", [f"k{number}"])
    assert [kept.knows("chat", f"k{number}") for number in range(5)] == [False, False, True, True, True]
