"""What is made of a Prometheus' raw samples: exact counters of one scrape, and who is asked how."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from penstock.core.histogram import Spread
from penstock.core.queries import Errors, Selector, Slow, limit
from penstock.core.reading import Reading
from penstock.metrics.configuration import BasicAuth
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Target
from tests.kube import pki
from tests.kube.loopback import Asked, Loopback, Respond, always, http
from tests.sources.servers import NOW, one, prometheus, said, series

ERRORS = Errors(Selector("bad"), Selector("all"))
PODS = [Target("shop", "a"), Target("shop", "b", new=True)]
VALUES = {"namespace": "shop", "name": "web", "new": "b", "old": "a", "window": "60s"}


def answering(asked: list[str], **answers: list[dict[str, Any]]) -> Respond:
    """Series for each metric."""

    async def respond(request: Asked, writer: asyncio.StreamWriter) -> None:
        query = parse_qs(request.body.decode())["query"][0]
        asked.append(query)
        writer.write(said(answers.get(query.partition("{")[0], []), "matrix"))

    return respond


async def read(check: Errors | Slow = ERRORS, **answers: list[dict[str, Any]]) -> Reading:
    """What comes out of these series."""
    async with prometheus(answering([], **answers)) as (source, _):
        (found,) = await source.read([check], PODS)
    assert found.trouble == ""
    return found


def shown(reading: Reading) -> Mapping[str, tuple[float, Mapping[str, float], Mapping[str, float]]]:
    """Seconds before NOW, all, bad."""
    return {name: (NOW - c.time, dict(c.all), dict(c.bad)) for name, c in reading.pods.items()}


async def test_bad_and_all_are_of_the_same_scrape() -> None:
    """A scrape between the two queries would show errors without their requests."""
    found = await read(
        all=[series("a", (30, "80"), (15, "90"), code="200"), series("a", (30, "8"), (15, "9"), code="500")],
        bad=[series("a", (30, "8"), (15, "9"), (0, "99"), code="500")],
    )

    a200, a500 = "code='200',instance='a:80'", "code='500',instance='a:80'"
    assert shown(found) == {"a": (15, {a200: 90, a500: 9}, {a500: 9})}


async def test_series_that_differ_in_other_labels_are_kept_apart() -> None:
    """Resets and births happen to single series. Two ports of one pod are two places, each with its own time."""
    found = await read(
        all=[
            series("a", (20, "1"), (5, "2"), path="/"),
            series("a", (20, "3"), (5, "4"), path="/x"),
            series("a", (18, "5"), (3, "6"), path="/", instance="a:81", container="sidecar"),
        ]
    )

    sidecar = "container='sidecar',instance='a:81',path='/'"
    assert shown(found) == {
        "a": (3, {"instance='a:80',path='/'": 2, "instance='a:80',path='/x'": 4, sidecar: 6}, {}),
    }


async def test_a_pod_that_is_scraped_twice_counts_once() -> None:
    """Every request twice would make evidence come twice as fast. When one of the scrapers has died, the other's
    series go on under the same name."""
    copies = {"job": "annotated"}, {"job": "monitor"}
    both = [series("a", (21, "7"), (6, "8"), **copies[0]), series("a", (15, "8"), (0, "9"), **copies[1])]
    alone = [series("a", (81, "7"), (66, "8"), **copies[0]), series("a", (15, "8"), (0, "9"), **copies[1])]

    assert shown(await read(all=both)) == {"a": (6, {"instance='a:80'": 8}, {})}
    assert shown(await read(all=alone)) == {"a": (0, {"instance='a:80'": 9}, {})}


async def test_labels_of_applications_are_never_taken_for_scrapers() -> None:
    """`endpoint`, `service` and `replica` are what applications call their own things."""
    found = await read(
        all=[series("a", (0, "1"), endpoint="/x", service="s"), series("a", (0, "2"), endpoint="/y", service="t")]
    )

    assert found.pods["a"].all == {
        "endpoint='/x',instance='a:80',service='s'": 1,
        "endpoint='/y',instance='a:80',service='t'": 2,
    }


async def test_a_pod_that_answers_without_such_a_series_has_no_requests_yet() -> None:
    """NoTraffic is not NoSeries; and what is born later counts from 0."""
    found = await read(
        all=[series("a", (15, "9"), (0, "9"))], up=[series("a", (0, "1")), series("b", (17, "1"), (2, "1"))]
    )

    assert shown(found) == {"a": (0, {"instance='a:80'": 9}, {}), "b": (2, {}, {})}


async def test_a_pod_that_cannot_be_scraped_is_missing() -> None:
    """`up` is 0: nothing is known of its requests."""
    found = await read(all=[series("a", (0, "9"))], up=[series("b", (15, "1"), (0, "0"))])

    assert list(found.pods) == ["a"]


async def test_a_deleted_pod_is_missing_after_three_scrapes_by_its_own_rhythm() -> None:
    """Its last values under a new time would look like minutes without requests."""
    alive = series("a", (30, "1"), (15, "2"), (0, "3"))

    assert list((await read(all=[alive, series("b", (59, "1"), (44, "1"))])).pods) == ["a", "b"]
    assert list((await read(all=[alive, series("b", (61, "1"), (46, "1"))])).pods) == ["a"]
    assert list((await read(all=[alive, series("b", (46, "1"))])).pods) == ["a"]
    assert list((await read(all=[alive, series("b", (150, "1"), (90, "1"))])).pods) == ["a", "b"]


SLOW = Slow(Selector("seconds", 'path="/"'), 0.25)


async def test_slow_requests_are_the_count_less_the_bucket_in_the_same_scrape() -> None:
    """By series, whichever way the bound is written."""
    found = await read(
        SLOW,
        seconds_count=[series("a", (15, "90"), (0, "100"), code="200"), series("b", (15, "5"), code="200")],
        seconds_bucket=[
            series("a", (15, "80"), (0, "88"), code="200", le="0.250"),
            series("b", (15, "4"), (0, "7"), code="200", le="0.25"),
        ],
    )

    a, b = (f"code='200',instance='{pod}:80'" for pod in "ab")
    assert shown(found) == {"a": (0, {a: 100}, {a: 12}), "b": (15, {b: 5}, {b: 1})}


async def test_a_bound_that_is_no_bucket_names_those_there_are() -> None:
    """What is asked the second time is every bucket, to name them."""
    asked: list[str] = []
    respond = answering(asked, seconds_count=[series("a", (0, "9"))])

    async def bounds(request: Asked, writer: asyncio.StreamWriter) -> None:
        query = parse_qs(request.body.decode())["query"][0]
        if query.startswith("seconds_bucket") and "le=~" not in query:
            writer.write(said([series("a", (0, "9"), le=le) for le in ("0.5", "0.1", "+Inf", "x")], "matrix"))
        else:
            await respond(request, writer)

    async with prometheus(bounds) as (source, _):
        (found,) = await source.read([SLOW], PODS)

    assert found.trouble == "seconds of pod a has no bucket with the bound 0.25 s; it has 0.1, 0.5"
    assert 'le=~"0[.]250*",path="/"' in asked[1]


def native(pod: str, *samples: tuple[float, str, list[tuple[int, str, str, str]]]) -> dict[str, Any]:
    """A native histogram's raw samples."""
    histograms = [[NOW - ago, {"count": count, "sum": "1", "buckets": buckets}] for ago, count, buckets in samples]
    return {"metric": series(pod)["metric"], "histograms": histograms}


async def test_native_histograms_give_fractions_of_requests() -> None:
    """A quarter of the bucket that the bound lies in."""
    sample = (0.0, "30", [(0, "0.1", "0.2", "10"), (0, "0.2", "0.4", "16"), (0, "0.4", "0.8", "4")])
    slow = Slow(SLOW.histogram, 0.35)

    found = await read(slow, seconds=[native("a", sample), native("b", (0, "1", [(0, "x", "1", "1")]))])

    (bad,) = found.pods["a"].bad.values()
    assert (list(found.pods), dict(found.pods["a"].all), round(bad, 9)) == (["a"], {"instance='a:80'": 30.0}, 8.0)


async def test_spreads_come_from_classic_buckets_or_from_native_ones() -> None:
    """For the choice of a bound."""
    check = Slow(SLOW.histogram, None)
    classic = [series("a", (0, n), le=le) for le, n in (("0.1", "60"), ("0.5", "95"), ("+Inf", "100"))]
    sample = native("a", (0.0, "30", [(0, "0.1", "0.2", "10"), (0, "0.2", "0.4", "20")]))

    async with prometheus(answering([], seconds_bucket=classic)) as (source, _):
        assert await source.spreads(check, PODS) == (Spread(100.0, {0.1: 40.0, 0.5: 5.0}),)
    async with prometheus(answering([], seconds=[sample])) as (source, _):
        assert await source.spreads(check, PODS) == (Spread(30.0, {0.2: 20.0, 0.4: 0.0}),)
    async with prometheus(always(http(500, b""))) as (source, _):
        assert await source.spreads(check, PODS) == ()


async def test_history_is_what_would_have_been_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evidence after a restart has to equal evidence without one. The pod that went in between is in it."""
    monkeypatch.setattr("time.time", lambda: NOW)
    answers = {
        "all": [
            series("a", *((ago, str(100 - ago)) for ago in range(60, -1, -15))),
            series("b", (60, "1"), (45, "2")),
        ],
        "up": [series("b", (60, "1"), (45, "1"))],
    }
    asked: list[str] = []
    async with prometheus(answering(asked, **answers), lookback=40) as (source, _):
        found = await source.history(ERRORS, PODS, NOW - 60, 20)

    assert [(NOW - r.time, shown(r), r.trouble) for r in found] == [
        (60, {"a": (60, {"instance='a:80'": 40}, {}), "b": (60, {"instance='b:80'": 1}, {})}, ""),
        (40, {"a": (45, {"instance='a:80'": 55}, {}), "b": (45, {"instance='b:80'": 2}, {})}, ""),
        (20, {"a": (30, {"instance='a:80'": 70}, {}), "b": (45, {"instance='b:80'": 2}, {})}, ""),
        (0, {"a": (0, {"instance='a:80'": 100}, {})}, ""),
    ]
    assert [query.rpartition("[")[2] for query in asked] == ["100000ms]"] * 3


async def test_history_that_cannot_be_had_is_trouble() -> None:
    """Not an empty past, which would be a beginning without evidence."""
    async with prometheus(always(one("1"))) as (source, _):
        (found,) = await source.history(ERRORS, PODS, NOW, 10)

    assert found.trouble == "Prometheus answers with something else than samples"


async def test_pods_are_asked_for_together() -> None:
    """A query for each metric, not for each pod; `up` only where pods have no series."""
    asked: list[str] = []
    pods = [Target("shop", f"web-{i}") for i in range(200)]
    full = [series(pod.name, (0, "1")) for pod in pods]
    async with prometheus(answering(asked, all=full)) as (source, server):
        await source.read([ERRORS], pods)

    assert [query.partition("{")[0] for query in asked] == ["all", "bad"]
    assert all('namespace=~"shop"' in query and "web-0|web-1|web-10|" in query for query in asked)
    assert {(a.method, a.path) for a in server.asked} == {("POST", "/api/v1/query")}


async def test_credentials_come_from_files_as_they_are_now(tmp_path: Path) -> None:
    """Tokens of ServiceAccounts are replaced every hour."""
    token, key = tmp_path / "token", tmp_path / "key"
    token.write_text("first\n")
    key.write_text("k")
    settings = {"bearer_token_file": str(token), "header_files": {"X-Key": str(key)}, "tenant": "shop"}
    async with prometheus(always(one("1")), **settings) as (source, server):
        await source.scalar(limit("q < 1"), VALUES)
        token.write_text("second")
        await source.scalar(limit("q < 1"), VALUES)
        key.write_text("a\r\nb")
        forged = await source.scalar(limit("q < 1"), VALUES)
        key.write_text("k")
        token.unlink()
        gone = await source.scalar(limit("q < 1"), VALUES)

    seen = [{n: a.headers[n] for n in ("authorization", "x-key", "x-scope-orgid")} for a in server.asked]
    assert seen == [
        {"authorization": f"Bearer {which}", "x-key": "k", "x-scope-orgid": "shop"} for which in ("first", "second")
    ]
    assert [forged.trouble, gone.trouble] == [
        f"Prometheus: {key} holds nothing that can be sent in a header",
        f"Prometheus: {token} cannot be read",
    ]


async def test_a_password_and_a_path_of_its_own(tmp_path: Path) -> None:
    """Behind a gateway."""
    (tmp_path / "password").write_text("secret")
    auth = BasicAuth(username="penstock", password_file=str(tmp_path / "password"))
    async with (
        Loopback(always(one("1"))).running() as server,
        Prometheus(Settings(url=f"{server.url}/base/", basic_auth=auth)) as source,
    ):
        found = await source.scalar(limit("q < 1"), VALUES)

    assert found.value == 1
    assert [(a.path, a.headers["authorization"]) for a in server.asked] == [
        ("/base/api/v1/query", "Basic cGVuc3RvY2s6c2VjcmV0")
    ]


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are meant for the outside world."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    async with prometheus(always(one("1"))) as (source, _):
        assert (await source.scalar(limit("q < 1"), VALUES)).value == 1


async def test_a_query_is_only_sent_with_safe_values() -> None:
    """The last door."""
    async with prometheus(always(one("1"))) as (source, server):
        found = await source.scalar(limit('q{x="{{ name }}"} < 1'), {**VALUES, "name": 'a"'})

    assert (found.value, found.trouble) == (None, 'no safe value for {{ name }}: "a""')
    assert server.asked == []


async def test_only_the_configured_authority_is_trusted_and_the_file_may_change(tmp_path: Path) -> None:
    """The machine's own authorities do not count beside it."""
    ca = pki.authority()
    tls, file = pki.serving(tmp_path, pki.leaf(ca, "prometheus", "127.0.0.1")), tmp_path / "ca.crt"
    said: list[str] = []
    async with (
        Loopback(always(one("1")), secure=tls).running() as server,
        Prometheus(Settings(url=server.url, ca_file=str(file))) as source,
    ):
        for content in (None, b"nonsense", pki.authority("other").pem, ca.pem):
            if content is not None:
                file.write_bytes(content)
            found = await source.scalar(limit("q < 1"), VALUES)
            said.append(found.trouble or str(found.value))

    unreadable = f"Prometheus: {file} cannot be read as certificates"
    assert said == [unreadable, unreadable, "Prometheus: its certificate is not trusted", "1.0"]
