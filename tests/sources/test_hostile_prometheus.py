"""Whatever a Prometheus says that is no plain answer gives no number, and one sentence why.

"No number" is what keeps a rollout where it is; the sentence is what its owner reads, and never the server's words.
"""

import asyncio
import gzip
import threading
import time
from urllib.parse import parse_qs

import pytest

from penstock.core.queries import Errors, Selector, limit
from penstock.core.reading import Counters
from penstock.metrics import query
from penstock.metrics.aside import LARGE
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.query import Raw
from penstock.metrics.samples import floats
from penstock.metrics.source import Target
from penstock.metrics.tracks import Series
from tests.kube.loopback import Asked, Loopback, Respond, always, http
from tests.sources import servers
from tests.sources.servers import NOW, one, prometheus, said, series

VALUES = {"namespace": "shop", "name": "web", "new": "web-1", "old": "web-0", "window": "60s"}
LIMIT = limit("max(queue) < 5")
ERRORS = Errors(Selector("bad"), Selector("all"))
BOTH = [Target("shop", "a"), Target("shop", "b", new=True)]
MISUNDERSTOOD = "Prometheus: an answer that is not understood"
BROKEN = "Prometheus: the answer broke off or is no HTTP"
NOT_FINITE = "the query gives no finite number"


def refused(code: int, **fields: str) -> bytes:
    return http(code, {"status": "error", **fields})


SCALARS: dict[str, tuple[bytes | Respond, float | None, str]] = {
    "a number": (one("3.5"), 3.5, ""),
    "a negative number": (one("-3"), -3.0, ""),
    "a scalar": (said([NOW, "7"], "scalar"), 7.0, ""),
    "no series": (said([]), None, ""),
    "an information in place of a warning": (said([], warnings=["PromQL info: no counter"]), None, ""),
    "unknown fields": (said([{"metric": {}, "value": [NOW, "1"], "x": [1]}], infos=["y"]), 1.0, ""),
    "compressed": (
        servers.zipped(one("1").partition(b"\r\n\r\n")[2], "application/json"),
        1.0,
        "",
    ),
    "NaN": (one("NaN"), None, NOT_FINITE),
    "a scalar NaN": (said([NOW, "NaN"], "scalar"), None, NOT_FINITE),
    "infinite": (one("+Inf"), None, NOT_FINITE),
    "negative infinite": (one("-Inf"), None, NOT_FINITE),
    "too large to be finite": (one("1e999"), None, NOT_FINITE),
    "a number with underscores": (one("1_000"), None, NOT_FINITE),
    "a word": (one("many"), None, NOT_FINITE),
    "an empty value": (one(""), None, NOT_FINITE),
    "a bare number in place of a text": (said([{"metric": {}, "value": [NOW, 1]}]), None, MISUNDERSTOOD),
    "null as value": (
        said([{"metric": {}, "value": None}]),
        None,
        "the query gives a histogram, expected one number",
    ),
    "a native histogram": (
        said([{"metric": {}, "histogram": [NOW, {"count": "1", "sum": "1"}]}]),
        None,
        "the query gives a histogram, expected one number",
    ),
    "a value of three": (said([{"metric": {}, "value": [NOW, "1", "2"]}]), None, MISUNDERSTOOD),
    "no metric": (said([{"value": [NOW, "1"]}]), None, MISUNDERSTOOD),
    "labels that are numbers": (said([{"metric": {"a": 1}, "value": [NOW, "1"]}]), None, MISUNDERSTOOD),
    "two series": (
        said([{"metric": {"a": x}, "value": [NOW, "1"]} for x in "xy"]),
        None,
        "the query gives 2 series, expected one; put max(), min() or sum() around it",
    ),
    "the same series twice": (
        said([{"metric": {}, "value": [NOW, "1"]}] * 2),
        None,
        "the query gives 2 series, expected one; put max(), min() or sum() around it",
    ),
    "a matrix": (said([], "matrix"), None, "the query gives matrix, expected one number"),
    "a string": (said([NOW, "x"], "string"), None, "the query gives string, expected one number"),
    "an invented type": (said([], "<b>x</b>"), None, "the query gives something unknown, expected one number"),
    "a vector that is an object": (said({}), None, MISUNDERSTOOD),
    "no data": (http(200, {"status": "success"}), None, "Prometheus: HTTP 200"),
    "another status": (http(200, {"status": "maybe"}), None, "Prometheus: HTTP 200"),
    "no status": (http(200, {"data": {}}), None, MISUNDERSTOOD),
    "a list": (http(200, b"[]"), None, MISUNDERSTOOD),
    "nothing": (http(200, b""), None, MISUNDERSTOOD),
    "half JSON": (http(200, b'{"status": "success", '), None, MISUNDERSTOOD),
    "no UTF-8": (http(200, b'{"status": "\xff\xfe"}'), None, MISUNDERSTOOD),
    "bottomless JSON": (http(200, servers.deep(200_000)), None, MISUNDERSTOOD),
    "HTML": (http(200, b"<html>log in</html>", Content_Type="text/html"), None, MISUNDERSTOOD),
    "HTML of a gateway": (
        http(502, b"<html>secret</html>"),
        None,
        "Prometheus: HTTP 502, an answer that is not understood",
    ),
    "data with an error's status": (
        said([], status_="x").replace(b"200", b"503", 1),
        None,
        "Prometheus: HTTP 503",
    ),
    "an internal error": (refused(500, errorType="internal", error="secret"), None, "Prometheus: HTTP 500 (internal)"),
    "unavailable": (refused(503, errorType="unavailable"), None, "Prometheus: HTTP 503 (unavailable)"),
    "too many requests": (refused(429), None, "Prometheus: HTTP 429"),
    "a query that timed out": (refused(503, errorType="timeout", error="x"), None, "Prometheus: HTTP 503 (timeout)"),
    "an invented error": (refused(400, errorType="secret"), None, "Prometheus: HTTP 400"),
    "a syntax error": (
        refused(400, errorType="bad_data", error='invalid parameter "query": 1:5: parse error: unexpected ")"'),
        None,
        'Prometheus: the query is wrong: 1:5: parse error: unexpected ")"',
    ),
    "words that pretend to be a syntax error": (
        refused(400, errorType="bad_data", error="secret 1:5: parse error: x"),
        None,
        "Prometheus: HTTP 400 (bad_data)",
    ),
    "not authorised": (http(401, b"secret"), None, "Prometheus refuses our credentials (HTTP 401)"),
    "forbidden": (http(403, b"secret"), None, "Prometheus refuses our credentials (HTTP 403)"),
    "warnings": (
        said([{"metric": {}, "value": [NOW, "1"]}], warnings=["a store is away"]),
        None,
        "Prometheus warns that the answer is not complete",
    ),
    "a redirect": (
        http(302, b"", Location="http://169.254.169.254/"),
        None,
        "Prometheus: a redirect (HTTP 302), which is not followed",
    ),
    "a permanent redirect": (
        http(308, b"", Location="/elsewhere"),
        None,
        "Prometheus: a redirect (HTTP 308), which is not followed",
    ),
    "an unasked encoding": (
        http(200, b"x", Content_Encoding="br"),
        None,
        "Prometheus: the answer has an encoding that was not asked for",
    ),
    "gzip that is none": (http(200, b"x" * 40, Content_Encoding="gzip"), None, BROKEN),
    "a gzip bomb": (servers.bomb(2 << 30 >> 4), None, "Prometheus: the answer is larger than 1024 KiB"),
    "a large answer": (http(200, b" " * (query.CAP + 1)), None, "Prometheus: the answer is larger than 1024 KiB"),
    "a huge set of labels": (
        said([{"metric": {f"l{i}": "x" * 100 for i in range(12_000)}, "value": [NOW, "1"]}]),
        None,
        "Prometheus: the answer is larger than 1024 KiB",
    ),
    "a gigabyte": (servers.endless, None, "Prometheus: the answer is larger than 1024 KiB"),
    "a byte now and then": (servers.slow_loris, None, "Prometheus: no answer within 0.4 s"),
    "silence": (servers.silence, None, "Prometheus: no answer within 0.4 s"),
    "a reset": (servers.reset, None, BROKEN),
    "half an answer": (servers.cut, None, BROKEN),
    "another protocol": (servers.no_http, None, BROKEN),
}


@pytest.mark.parametrize("case", SCALARS)
async def test_a_limit_gets_one_finite_number_or_none(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An advance needs a number that was said clearly."""
    answer, value, trouble = SCALARS[case]
    if answer in (servers.slow_loris, servers.silence):
        monkeypatch.setattr(query, "SECONDS", 0.4)
    began = time.monotonic()

    async with prometheus(answer if callable(answer) else always(answer)) as (source, _):
        found = await source.scalar(LIMIT, VALUES)

    assert (found.value, found.trouble) == (value, trouble)
    assert time.monotonic() - began < 10


def by_query(**answers: bytes) -> Respond:
    """An answer for each metric that is asked for; `up` knows nobody."""

    async def respond(asked: Asked, writer: asyncio.StreamWriter) -> None:
        metric = parse_qs(asked.body.decode())["query"][0].partition("{")[0]
        writer.write(answers.get(metric, said([], "matrix")))

    return respond


GOOD = said([series("a", (15, "90"), (0, "100")), series("b", (15, "9"), (0, "10"))], "matrix")
NO_COUNTER = "no pod's values can be used: a value that is no count (NaN, infinite or negative)"
A = Counters({"instance='a:80'": 100.0}, {}, NOW)
B = Counters({"instance='b:80'": 10.0}, {}, NOW)


def spoiled(value: str) -> bytes:
    return said([series("a", (15, "90"), (0, "100")), series("b", (15, "9"), (0, value))], "matrix")


RAW: dict[str, tuple[dict[str, bytes], dict[str, Counters], str]] = {
    "both pods": ({"all": GOOD}, {"a": A, "b": B}, ""),
    "no series": ({}, {}, ""),
    "a vector": ({"all": one("1")}, {}, "Prometheus answers with something else than samples"),
    "NaN of one pod": ({"all": spoiled("NaN")}, {"a": A}, ""),
    "infinite": ({"all": spoiled("+Inf")}, {"a": A}, ""),
    "negative": ({"all": spoiled("-1")}, {"a": A}, ""),
    "a word": ({"all": spoiled("x")}, {"a": A}, ""),
    "NaN of the only pod": ({"all": said([series("a", (0, "NaN"))], "matrix")}, {}, NO_COUNTER),
    "NaN among the bad ones": (
        {"all": GOOD, "bad": said([series("b", (0, "NaN"))], "matrix")},
        {"a": A},
        "",
    ),
    "the same series twice": (
        {"all": said([series("a", (0, "100"))] * 2, "matrix")},
        {},
        "no pod's values can be used: the same series twice",
    ),
    "a time that is none": (
        {"all": said([series("a", (0, "1"))], "matrix").replace(b"1800000000.0", b"1.00000e9999")},
        {},
        MISUNDERSTOOD,
    ),
    "samples without values": ({"all": said([series("a")], "matrix")}, {}, ""),
    "a pod that was not asked for": ({"all": said([series("z", (0, "1"))], "matrix")}, {}, ""),
    "a pod that has not been scraped for long": (
        {"all": said([series("a", (15, "90"), (0, "100")), series("b", (90, "9"), (75, "10"))], "matrix")},
        {"a": A},
        "",
    ),
    "an error on the second metric": (
        {"all": GOOD, "bad": refused(500, errorType="internal")},
        {},
        "Prometheus: HTTP 500 (internal)",
    ),
    "warnings on the second metric": (
        {"all": GOOD, "bad": said([], "matrix", warnings=["partial"])},
        {},
        "Prometheus warns that the answer is not complete",
    ),
    "too many series": (
        {"all": said([series("a", (0, "1"), path=str(i)) for i in range(5001)], "matrix")},
        {},
        "no pod's values can be used: more than 5000 series",
    ),
}


@pytest.mark.parametrize("case", RAW)
async def test_a_pod_whose_counters_are_not_sound_is_left_out_whole(case: str) -> None:
    """A series that is missing once and back later would look born with all its counts."""
    answers, pods, trouble = RAW[case]

    async with prometheus(by_query(**answers)) as (source, _):
        (found,) = await source.read([ERRORS], BOTH)

    assert dict(found.pods) == pods
    assert found.trouble == trouble


async def test_half_a_gzip_is_no_answer() -> None:
    """Its beginning might be valid JSON by chance."""
    async with prometheus(always(http(200, gzip.compress(b"{}" * 4000)[:-9], Content_Encoding="gzip"))) as (source, _):
        assert (await source.scalar(LIMIT, VALUES)).trouble == BROKEN


async def test_a_server_that_is_not_there_is_trouble() -> None:
    """The commonest case of all."""
    async with Loopback(always(b"")).running() as server:
        pass
    async with Prometheus(Settings(url=server.url)) as source:
        found = await source.scalar(LIMIT, VALUES)

    assert found.trouble == "Prometheus: no connection (refused)"


async def test_an_answer_of_too_many_series_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """A label that is an identity makes as many series as requests."""
    monkeypatch.setattr(query, "MOST", 3)
    async with prometheus(always(said([series("a", (1, "1"), u=str(i)) for i in range(4)], "matrix"))) as (source, _):
        (found,) = await source.read([ERRORS], BOTH)

    assert found.trouble == "Prometheus answers with more than 3 series"


@pytest.mark.parametrize(("values", "elsewhere"), [(2, False), (LARGE, True)])
async def test_what_is_large_is_decoded_in_a_thread(
    values: int, elsewhere: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """8.8 MiB were decoded and filed on the event loop, for 1.6 s without a renewal of the lease."""
    threads: set[int] = set()

    def noted(each: Raw) -> Series:
        threads.add(threading.get_ident())
        return floats(each)

    monkeypatch.setattr("penstock.metrics.prometheus.floats", noted)
    body = said([series("a", *((n, "1") for n in range(values + 1, 0, -1)))], "matrix")
    async with prometheus(always(body)) as (source, _):
        (found,) = await source.read([ERRORS], BOTH[:1])

    assert {name: dict(c.all) for name, c in found.pods.items()} == {"a": {"instance='a:80'": 1.0}}
    assert (threading.get_ident() not in threads) is elsewhere
