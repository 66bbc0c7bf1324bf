"""What the stream does not tell is found out all the same, and what is old is never taken for new.

Hours pass here in virtual time.
"""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from penstock.kube import Reflector
from penstock.kube.reflector import WATCH_SECONDS
from tests.kube.memory import Asked, Memory, Object, Said, line, said, stream
from tests.kube.test_reflector import PATH, Followed, bookmark, item, listing

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


class Deaf:
    """An API server whose watches speak in bookmarks alone, hour after hour, whatever happens to the objects."""

    def __init__(self) -> None:
        self.version = 100
        self.items: dict[str, Object] = {}
        self.memory = Memory(self._respond)

    def change(self, name: str, uid: str = "u1") -> None:
        """Nobody is told."""
        self.version += 1
        self.items[name] = item(name, self.version, uid)

    def remove(self, name: str) -> None:
        """Nobody is told of that either."""
        self.version += 1
        del self.items[name]

    async def _respond(self, asked: Asked) -> Said:
        if asked.query.get("watch"):
            return Said(stream=self._bookmarks())
        return listing(self.version, *self.items.values())

    async def _bookmarks(self) -> AsyncIterator[bytes]:
        for _ in range(WATCH_SECONDS // 60):
            await asyncio.sleep(60)
            yield bookmark(self.version)
        await asyncio.sleep(WATCH_SECONDS % 60)


async def test_hours_of_bookmarks_alone_hide_nothing_for_long() -> None:
    """A bookmark moves the position past the lost events, so no later watch would ever bring them."""
    server, changes = Deaf(), []
    server.change("kept")
    server.change("gone")
    reflector = Reflector(server.memory.client(), PATH, None, lambda key, *_: changes.append(key), relist=90.0)
    task = asyncio.create_task(reflector.run())
    await asyncio.sleep(7200)
    assert changes == ["shop/kept", "shop/gone"]
    server.change("kept")
    server.change("new")
    server.remove("gone")
    await asyncio.sleep(91)
    assert sorted(changes[2:]) == ["shop/gone", "shop/kept", "shop/new"]
    assert reflector.items == {f"shop/{name}": found for name, found in self_described(server).items()}
    whats = server.memory.whats()
    assert 80 <= whats.count("GET") <= 92
    assert whats.count("WATCH") <= 28
    task.cancel()
    await asyncio.wait((task,))
    assert server.memory.open == 0


def self_described(server: Deaf) -> dict[str, Object]:
    """A list says its items' kind once for all."""
    return {name: {"apiVersion": "apps/v1", "kind": "Deployment", **found} for name, found in server.items.items()}


async def test_without_lists_it_would_never_be_found() -> None:
    """What the lists are for: the same hours without them."""
    server = Deaf()
    server.change("kept")
    reflector = Reflector(server.memory.client(), PATH, None, lambda *_: None)
    task = asyncio.create_task(reflector.run())
    await asyncio.sleep(10)
    server.change("new")
    await asyncio.sleep(4 * 3600)
    assert list(reflector.items) == ["shop/kept"]
    assert server.memory.whats().count("GET") == 1
    task.cancel()
    await asyncio.wait((task,))


async def test_a_list_that_another_made_is_taken() -> None:
    """Who reads before a write has the truth in hand; the watch goes on from there and repeats nothing."""
    late = [("MODIFIED", item("a", 12)), ("DELETED", item("b", 13)), ("MODIFIED", item("a", 31))]
    followed = Followed(
        [listing(11, item("a", 10), item("b", 9))],
        [stream(5.0, b"".join(line(*each) for each in late), 300.0)],
    )
    async with followed.running(1):
        listed = await listing(30, item("a", 20), item("c", 30)).read()
        followed.reflector.told(json.loads(listed))
        assert followed.changes[2:] == [("shop/b", "9", None), ("shop/a", "10", "20"), ("shop/c", None, "30")]
        await asyncio.sleep(5)
        assert followed.changes[5:] == [("shop/a", "20", "31")]


async def test_a_list_from_the_past_is_not_taken() -> None:
    """An API server whose cache has stopped: what is known already is newer."""
    followed = Followed([listing(11, item("a", 10))], [stream(line("MODIFIED", item("a", 50)), 300.0)])
    async with followed.running(1):
        followed.reflector.told(
            {"kind": "DeploymentList", "metadata": {"resourceVersion": "49"}, "items": [item("a", 10)]}
        )
        assert followed.changes == [("shop/a", None, "10"), ("shop/a", "10", "50")]
        assert followed.reflector.items["shop/a"] == item("a", 50)


async def test_lists_that_fail_are_tried_again_and_end_nothing() -> None:
    """The watch goes on meanwhile."""
    refused = said({"kind": "Status", "code": 500, "reason": "InternalError", "message": "x"}, 500)
    followed = Followed(
        [listing(11), refused, refused, listing(40, item("a", 40))], [stream(50.0, bookmark(12), 240.0)]
    )
    followed.reflector._relist = 50.0
    async with followed.running(102):
        assert followed.changes == []
        await asyncio.sleep(50)
        assert followed.changes == [("shop/a", None, "40")]
