"""The copy is right after every kind of break, and no break makes it ask without pause."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from penstock.kube import Reflector, Unavailable, objects
from penstock.kube.reflector import WATCH_SECONDS
from penstock.kube.transport import IDLE
from tests.kube.memory import Asked, Memory, Object, Said, line, lines, never, refusal, refused, said, stream

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]

PATH = objects.deployments()
Change = tuple[str, str | None, str | None]


def item(name: str, version: int, uid: str = "u1") -> Object:
    return {"metadata": {"namespace": "shop", "name": name, "resourceVersion": str(version), "uid": uid}}


def listing(version: int, *items: Object | None) -> Said:
    kind = {"apiVersion": "apps/v1", "kind": "DeploymentList"}
    return said({**kind, "metadata": {"resourceVersion": str(version)}, "items": list(items)})


def bookmark(version: int) -> bytes:
    return line("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


def error(code: int) -> bytes:
    return line("ERROR", {"kind": "Status", "code": code, "reason": "Expired", "message": "too old"})


class Followed:
    """A reflector whose requests are answered in order: lists from one row, watches from another, then silence."""

    def __init__(self, lists: list[Said], watches: list[Any], params: Object | None = None) -> None:
        self.lists = lists
        self.watches = watches
        self.changes: list[Change] = []
        self.memory = Memory(self._respond)
        self.reflector = Reflector(self.memory.client(), PATH, params, self._changed)

    async def _respond(self, asked: Asked) -> Said:
        if not asked.query.get("watch"):
            return self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
        answer = self.watches.pop(0) if self.watches else Said(stream=stream(WATCH_SECONDS))
        return answer if isinstance(answer, Said) else Said(stream=answer)

    def _changed(self, key: str, old: Object | None, new: Object | None) -> None:
        self.changes.append((key, old and objects.version(old), new and objects.version(new)))

    @contextlib.asynccontextmanager
    async def running(self, seconds: float) -> AsyncIterator["Followed"]:
        task = asyncio.create_task(self.reflector.run())
        await asyncio.sleep(seconds)
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.wait((task,))

    def positions(self) -> list[str | None]:
        """Where each request began: None is a list."""
        return [asked.query.get("resourceVersion") for asked in self.memory.asked]


async def test_it_lists_then_watches_from_there() -> None:
    """The first list names no version, so that it is no older than what others have written."""
    events = [("ADDED", item("b", 12)), ("MODIFIED", item("a", 13)), ("DELETED", item("b", 14))]
    followed = Followed([listing(11, item("a", 10))], [stream(1.0, lines(events), 300.0)], {"labelSelector": "x=y"})
    async with followed.running(5):
        assert followed.changes == [
            ("shop/a", None, "10"),
            ("shop/b", None, "12"),
            ("shop/a", "10", "13"),
            ("shop/b", "12", None),
        ]
        assert [asked.query for asked in followed.memory.asked] == [
            {"labelSelector": "x=y"},
            {
                "watch": True,
                "labelSelector": "x=y",
                "resourceVersion": "11",
                "allowWatchBookmarks": True,
                "timeoutSeconds": 290,
            },
        ]
        assert list(followed.reflector.items) == ["shop/a"]


async def test_it_is_synced_by_the_list_and_not_before() -> None:
    """Readiness, and the first decision, wait for this."""
    followed = Followed([refusal(503, "ServiceUnavailable"), listing(11)], [])
    async with followed.running(0.1):
        assert not followed.reflector.synced.is_set()
        await asyncio.sleep(1)
        assert followed.reflector.synced.is_set()


async def test_listed_items_look_like_watched_ones() -> None:
    """A list leaves the kind off its items, a watch does not; readers should not care where an object came from."""
    whole = {"apiVersion": "apps/v1", "kind": "Deployment", **item("b", 12)}
    followed = Followed([listing(11, item("a", 10))], [stream(line("ADDED", whole), 300.0)])
    async with followed.running(1):
        assert {(each["apiVersion"], each["kind"]) for each in followed.reflector.items.values()} == {
            ("apps/v1", "Deployment")
        }


async def test_an_empty_list_may_be_null() -> None:
    """Go writes null for an empty slice in some lists."""
    followed = Followed([said({"kind": "DeploymentList", "metadata": {"resourceVersion": "7"}, "items": None})], [])
    async with followed.running(1):
        assert (followed.reflector.items, followed.reflector.synced.is_set()) == ({}, True)


async def test_it_watches_on_from_the_last_version_after_a_break() -> None:
    """Nothing is listed twice, nothing is lost: an event or a bookmark moves the place to continue."""
    followed = Followed(
        [listing(11, item("a", 10))],
        [
            stream(line("MODIFIED", item("a", 20)), 60.0, bookmark(35), 60.0),
            stream(60.0, line("MODIFIED", item("a", 40))[:30], Unavailable(0, "NoAnswer", "reset")),
            stream(line("MODIFIED", item("a", 40)), 300.0),
        ],
    )
    async with followed.running(200):
        assert followed.positions() == [None, "11", "35", "35"]
        assert followed.changes == [("shop/a", None, "10"), ("shop/a", "10", "20"), ("shop/a", "20", "40")]


@pytest.mark.parametrize("how", ["event", "status"])
async def test_a_forgotten_version_leads_to_a_list_and_only_differences_are_told(how: str) -> None:
    """410 comes as an event of an open watch or as the answer to a new one."""
    gone = refusal(410, "Expired") if how == "status" else Said(stream=stream(error(410)))
    before = listing(11, item("same", 1), item("changed", 2), item("gone", 3))
    after = listing(99, item("same", 1), item("changed", 50), item("new", 60))
    followed = Followed([before, after], [gone])
    async with followed.running(5):
        assert followed.changes[3:] == [
            ("shop/gone", "3", None),
            ("shop/changed", "2", "50"),
            ("shop/new", None, "60"),
        ]
        assert followed.positions() == [None, "11", None, "99"]
        assert set(followed.reflector.items) == {"shop/same", "shop/changed", "shop/new"}


async def test_an_object_made_anew_under_the_same_name_is_told_as_two_changes() -> None:
    """Whoever remembers things about the old one must be told that it went away."""
    followed = Followed([listing(11, item("a", 10, "old")), listing(30, item("a", 25, "new"))], [stream(error(410))])
    async with followed.running(5):
        assert followed.changes[1:] == [("shop/a", "10", None), ("shop/a", None, "25")]


async def test_repeated_and_late_events_change_nothing() -> None:
    """A fault proxy or a stale API server repeats; a deleted object must not rise again."""
    events = [
        ("MODIFIED", item("a", 12)),
        ("MODIFIED", item("a", 12)),
        ("ADDED", item("a", 10)),
        ("DELETED", item("a", 15)),
        ("DELETED", item("a", 15)),
        ("MODIFIED", item("a", 12)),
        ("ADDED", item("a", 16, "u2")),
        ("DELETED", item("a", 15)),
    ]
    followed = Followed([listing(11, item("a", 10))], [stream(lines(events), 300.0)])
    async with followed.running(1):
        assert followed.changes == [
            ("shop/a", None, "10"),
            ("shop/a", "10", "12"),
            ("shop/a", "12", None),
            ("shop/a", None, "16"),
        ]


async def test_a_link_that_dies_later_is_found_and_followed_on() -> None:
    """Half-open connections give no error; silence beyond the bookmarks' minute is one."""
    followed = Followed([listing(11)], [stream(60.0, bookmark(20), 1e6)])
    async with followed.running(60 + IDLE + 2):
        assert followed.positions() == [None, "11", "20"]


async def test_a_watch_that_gives_nothing_leads_to_a_list() -> None:
    """After a restore of etcd the server accepts our version of the future and is silent, for ever (measured)."""
    followed = Followed([listing(9_000, item("a", 8_000)), listing(50, item("b", 40))], [stream(1e6), stream(1e6)])
    async with followed.running(IDLE + 2):
        assert followed.positions() == [None, "9000", None, "50"]
        assert list(followed.reflector.items) == ["shop/b"]


async def test_at_rest_there_is_one_request_in_five_minutes() -> None:
    """Idle cost: one watch, opened again when the server ends it."""

    async def quiet() -> AsyncIterator[bytes]:
        async for chunk in stream(60.0, bookmark(20), 60.0, bookmark(20), 60.0, bookmark(20), 60.0, bookmark(20), 50.0):
            yield chunk

    followed = Followed([listing(11)], [quiet() for _ in range(100)])
    async with followed.running(3600):
        assert followed.memory.whats().count("GET") == 1
        assert followed.memory.whats().count("WATCH") == 13


async def html(asked: Asked) -> Said:
    return Said(
        502, b"<html><body>Bad Gateway</body></html>", headers={"Content-Type": "text/html"}, phrase="Bad Gateway"
    )


async def login_page(asked: Asked) -> Said:
    return Said(200, b"<html>Log in</html>", stream(b"<html>Log in</html>\n"))


async def ends_at_once(asked: Asked) -> Said:
    return Said(200, (await listing(11).read()), stream())


async def one_bookmark(asked: Asked) -> Said:
    return Said(200, (await listing(11).read()), stream(bookmark(12)))


async def always_gone(asked: Asked) -> Said:
    return refusal(410, "Expired") if asked.query.get("watch") else listing(11)


async def refuses(asked: Asked) -> Said:
    raise refused()


async def denies(asked: Asked) -> Said:
    return refusal(403, "Forbidden")


async def hangs(asked: Asked) -> Said:
    await never()
    raise AssertionError


@pytest.mark.parametrize("respond", [html, login_page, ends_at_once, one_bookmark, always_gone, refuses, denies, hangs])
async def test_nothing_makes_it_ask_without_pause(respond: Callable[[Asked], Awaitable[Said]]) -> None:
    """The official watch sent 1459 requests in two seconds at an empty stream."""
    memory = Memory(respond)
    task = asyncio.create_task(Reflector(memory.client(), PATH, None, lambda *_: None).run())
    await asyncio.sleep(2)
    assert len(memory.asked) <= 9  # at most five rounds, of at most a list and a watch
    await asyncio.sleep(3598)
    rounds = len({asked.at for asked in memory.asked})
    assert 60 <= rounds <= 3600 / 15 + 10
    task.cancel()
    await asyncio.wait((task,))
    assert memory.open == 0


async def test_pauses_are_short_again_once_all_was_well() -> None:
    """A long outage must not make the next short one long."""
    followed = Followed(
        [listing(11)], [refusal(500, "x") for _ in range(12)] + [stream(bookmark(12), 20.0), stream(20.0)]
    )
    async with followed.running(600):
        asked = followed.memory.asked
        assert asked[14].at - asked[13].at <= 20.5
        assert asked[15].at - asked[14].at <= 20.5


async def test_the_servers_wish_to_be_left_alone_is_granted() -> None:
    """429 from priority and fairness names the seconds."""
    followed = Followed([refusal(429, "TooManyRequests", Retry_After="45"), listing(11)], [])
    async with followed.running(60):
        first, second = followed.memory.asked[0].at, followed.memory.asked[1].at
        assert second - first == 45


async def test_a_failing_reader_ends_the_reflector() -> None:
    """Going on would mean a copy whose reader has missed something."""

    def broken(key: str, old: Object | None, new: Object | None) -> None:
        raise ZeroDivisionError(key)

    followed = Followed([listing(11)], [stream(line("ADDED", item("a", 12)), 300.0)])
    reflector = Reflector(followed.memory.client(), PATH, None, broken)
    with pytest.raises(ZeroDivisionError):
        await reflector.run()
    assert list(reflector.items) == ["shop/a"]
    assert followed.memory.open == 0


async def test_cancelling_closes_the_watch() -> None:
    """No connection stays behind."""
    followed = Followed([listing(11)], [stream(1e6)])
    async with followed.running(5):
        assert followed.memory.open == 1
    assert followed.memory.open == 0
