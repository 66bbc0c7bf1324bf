"""Whatever a pod shows that is no plain page of metrics leaves that pod out, or is the trouble if there is no other."""

import asyncio
import time

import pytest

from controller.sources import pods
from controller.sources.exposition import PATIENCE, samples
from penstock.core.counters import Life
from penstock.core.judgement import Bearings
from penstock.core.plan import Plan
from penstock.core.queries import Errors, Selector, Slow, errors, slow
from penstock.core.reading import Counters
from penstock.metrics.counting import Unusable
from penstock.metrics.source import Target
from tests.kube.loopback import Asked, Loopback, Respond, always, http
from tests.sources import servers
from tests.sources.servers import page, pod

ERRORS = errors('requests_total{code=~"5.."} / requests_total')
SLOW = slow("seconds > 250ms")
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
NAN = "a value that is no count (NaN, infinite or negative)"

PLAIN = """# HELP requests_total x
# TYPE requests_total counter
requests_total{code="200"} 90
requests_total{code="500",} 10 1800000000000
requests_total_of_others{code="500"} 7
"""
WANTED = ({"code='200'": 90.0, "code='500'": 10.0}, {"code='500'": 10.0})
OLD = str(int((time.time() - 3600) * 1000))

CASES: dict[str, tuple[bytes | Respond, tuple[dict[str, float], dict[str, float]] | str]] = {
    "the text format": (page(PLAIN), WANTED),
    "lines that end in CR LF": (page(PLAIN.replace("\n", "\r\n")), WANTED),
    "OpenMetrics with exemplars": (
        page(PLAIN.replace(" 1800000000000", ' # {trace_id="}"} 1 2') + "# EOF\n", OPENMETRICS),
        WANTED,
    ),
    "no media type": (b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(PLAIN), PLAIN.encode()), WANTED),
    "compressed": (servers.zipped(PLAIN.encode(), "text/plain"), WANTED),
    "labels full of braces": (page('requests_total{code="5}{\\"\\n"} 1\n'), ({"code='5}{\"\\n'": 1.0}, {})),
    "no such metric": (page("other 1\n"), ({}, {})),
    "an empty page": (page(""), ({}, {})),
    "NaN": (page("requests_total NaN\n"), NAN),
    "infinite": (page("requests_total +Inf\n"), NAN),
    "negative": (page("requests_total -1\n"), NAN),
    "too large": (page("requests_total 1e999\n"), NAN),
    "underscores": (page("requests_total 1_0\n"), NAN),
    "NaN in one of many": (page(PLAIN + 'requests_total{code="404"} NaN\n'), NAN),
    "a word": (page("requests_total many\n"), "a value that is no number"),
    "no value": (page("requests_total \n"), "a line that is not understood"),
    "an unfinished label": (page('requests_total{code="5 1\n'), "a line that is not understood"),
    "a label twice": (page('requests_total{a="1",a="2"} 1\n'), "labels that are not understood"),
    "labels without quotes": (page("requests_total{a=1} 1\n"), "labels that are not understood"),
    "no UTF-8": (page(b'requests_total{a="\xff"} 1\n'), "a line that is not understood"),
    "an endless line": (page('requests_total{a="' + "x" * 5000 + '"} 1\n'), "a line of more than 4 KiB"),
    "the same series twice": (page("requests_total 1\nrequests_total 2\n"), "the same series twice"),
    "the same labels in another order": (
        page('requests_total{a="1",b="2"} 1\nrequests_total{b="2",a="1"} 2\n'),
        "the same series twice",
    ),
    "a value of an hour ago": (page(f"requests_total 1 {OLD}\n"), "a value with an old time"),
    "a time that is NaN": (page("requests_total 1 NaN\n"), "a value with an old time"),
    "OpenMetrics that ends early": (page(PLAIN, OPENMETRICS), "an answer that ends too early"),
    "too many series": (
        page("".join(f'requests_total{{a="{i}"}} 1\n' for i in range(10_001))),
        "more than 5000 series",
    ),
    "HTML": (page("<html>log in</html>", "text/html"), "an answer that is no metrics"),
    "JSON": (page("{}", "application/json"), "an answer that is no metrics"),
    "protobuf": (page("x", "application/vnd.google.protobuf"), "an answer that is no metrics"),
    "not found": (http(404, b"secret"), "HTTP 404"),
    "not authorised": (http(401, b"secret"), "HTTP 401"),
    "an internal error": (http(500, PLAIN.encode()), "HTTP 500"),
    "a partial content": (http(206, PLAIN.encode()), "HTTP 206"),
    "a redirect to another address": (
        http(302, b"", Location="http://169.254.169.254/metrics"),
        "a redirect (HTTP 302), which is not followed",
    ),
    "a redirect to itself": (http(307, b"", Location="/metrics"), "a redirect (HTTP 307), which is not followed"),
    "an unasked encoding": (
        http(200, b"", Content_Encoding="zstd"),
        "the answer has an encoding that was not asked for",
    ),
    "a gzip bomb": (servers.bomb(100 << 20, "text/plain"), "the answer is larger than 5120 KiB"),
    "a gigabyte": (servers.endless, "the answer is larger than 5120 KiB"),
    "a byte now and then": (servers.slow_loris, "no answer within 0.4 s"),
    "silence": (servers.silence, "no answer within 0.4 s"),
    "a reset": (servers.reset, "the answer broke off or is no HTTP"),
    "half an answer": (servers.cut, "the answer broke off or is no HTTP"),
    "another protocol": (servers.no_http, "the answer broke off or is no HTTP"),
    "a header without end": (
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
        "the answer broke off or is no HTTP",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_page_gives_counters_or_a_reason(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, so that the reason shows."""
    answer, wanted = CASES[case]
    if answer in (servers.slow_loris, servers.silence):
        monkeypatch.setattr(pods, "SECONDS", 0.4)
    began = time.time()

    async with pod(answer if callable(answer) else always(answer)) as (source, target):
        (found,) = await source.read([ERRORS], [target])

    if isinstance(wanted, str):
        assert (dict(found.pods), found.trouble) == ({}, f"no pod could be read: {wanted} (1)")
    else:
        assert found.trouble == ""
        assert {name: (dict(c.all), dict(c.bad)) for name, c in found.pods.items()} == {"new": wanted}
        assert began <= found.pods["new"].time <= time.time()
    assert time.time() - began < 10


BUCKETS = 'seconds_bucket{le="0.1"} 5\nseconds_bucket{le="0.250"} %s\nseconds_bucket{le="+Inf"} 10\nseconds_count 10\n'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (BUCKETS % 8, 2.0),
        (BUCKETS % 8 + 'seconds_bucket{le="x"} 1\n', "no pod could be read: a bucket whose bound is no number (1)"),
        (BUCKETS % 11, "no pod could be read: a bucket that has more than its histogram's count (1)"),
        (BUCKETS % "NaN", f"no pod could be read: {NAN} (1)"),
        ("seconds_count 10\n", "seconds of pod new has no bucket with the bound 0.25 s; it has none"),
        (
            (BUCKETS % 8).replace("0.250", "0.5"),
            "seconds of pod new has no bucket with the bound 0.25 s; it has 0.1, 0.5",
        ),
    ],
)
async def test_slow_requests_are_those_outside_the_bucket(text: str, wanted: float | str) -> None:
    """A bound that is no bucket's would have to be guessed; the user is told which there are."""
    async with pod(always(page(text))) as (source, target):
        (found,) = await source.read([SLOW], [target])

    if isinstance(wanted, str):
        assert (dict(found.pods), found.trouble) == ({}, wanted)
    else:
        time_ = found.pods["new"].time
        assert dict(found.pods) == {"new": Counters({"": 10.0}, {"": wanted}, time_)}


async def test_one_bad_pod_does_not_hide_the_others() -> None:
    """It is left out, as one that was not reached."""
    async with pod(always(page(PLAIN))) as (source, good), Loopback(always(http(500, b""))).running() as bad:
        (found,) = await source.read([ERRORS], [good, Target("shop", "bad", False, "127.0.0.1", bad.port)])

    assert (list(found.pods), found.trouble) == (["new"], "")


async def test_each_pod_is_asked_once_for_all_checks_and_only_ten_old_ones() -> None:
    """The same ten every time: a counter that is seen now and then is no counter."""
    asked: list[str] = []

    async def respond(request: Asked, writer: asyncio.StreamWriter) -> None:
        asked.append(request.path)
        writer.write(page(PLAIN))

    async with pod(respond) as (source, target):
        old = [Target("shop", f"o{i:02}", False, "127.0.0.1", target.port, f"/o{i:02}") for i in range(30)]
        new = [Target("shop", f"n{i:02}", True, "127.0.0.1", target.port, f"/n{i:02}") for i in range(12)]
        mute = Target("shop", "a-mute", True, "127.0.0.1")
        readings = await source.read([ERRORS, SLOW, Errors(Selector("a"), Selector("b"))], [*reversed(old), mute, *new])

    assert sorted(asked) == [f"/n{i:02}" for i in range(12)] + [f"/o{i:02}" for i in range(10)]
    assert [len(reading.pods) for reading in readings] == [22, 22, 22]


async def test_pods_that_answer_late_keep_no_other_workload_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """One semaphore for all was filled by the pods of whoever came first. Of 40 such pods 30 are asked, 8 at once."""
    monkeypatch.setattr(pods, "SECONDS", 60)
    late: set[int] = set()
    full = asyncio.Event()

    async def silent(request: Asked, _writer: asyncio.StreamWriter) -> None:
        late.add(request.peer)
        if len(late) == 8:
            full.set()
        await asyncio.sleep(60)

    async with pod(always(page(PLAIN))) as (source, good), Loopback(silent).running() as bad:
        many = [Target("shop", f"n{i:02}", True, "127.0.0.1", bad.port) for i in range(40)]
        slow_one = asyncio.create_task(source.read([ERRORS], many))
        async with asyncio.timeout(30):
            await full.wait()
            (found,) = await source.read([ERRORS], [good])
        waits, asked = not slow_one.done(), len(late)
        slow_one.cancel()

    assert (found.trouble, asked, waits) == ("", 8, True)


def test_a_new_pod_that_is_not_asked_is_not_silent() -> None:
    """A silent one holds the rollout; one of more than thirty would for ever."""
    many = [Target("shop", f"n{i:02}", True, "10.0.0.1", 80 if i else None) for i in range(40)]
    at = Bearings("r1", Plan(), 100.0, 1, 0.5, {pod.name: Life(True, 110.0, 120.0) for pod in many})

    asked = pods.answerable(at, many)

    assert [n for n, life in asked.pods.items() if not life.ready_since] == [f"n{i}" for i in range(31, 40)]


async def test_without_a_place_to_ask_that_is_said() -> None:
    """Not "unreachable": the user has to write an annotation."""
    async with pods.Pods() as source:
        (found,) = await source.read([ERRORS], [Target("shop", "web", True, "127.0.0.1")])

    assert found.trouble == pods.NOWHERE


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are meant for the outside world."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    async with pod(always(page(PLAIN))) as (source, target):
        (found,) = await source.read([ERRORS], [target])

    assert found.trouble == ""


async def test_a_pattern_that_would_stop_python_does_not_stop_us() -> None:
    """The annotation is a tenant's, the label's value a pod's: together they would hold the loop for minutes."""
    evil = Errors(Selector("m", 'a=~"(a+)+b"'), Selector("m"))
    text = "".join(f'm{{a="{"a" * 200}{i}"}} 1\n' for i in range(200))
    began = time.process_time()
    async with pod(always(page(text))) as (source, target):
        (found,) = await source.read([evil], [target])

    assert len(found.pods["new"].all) == 200
    assert found.pods["new"].bad == {}
    assert time.process_time() - began < 2


def test_a_page_that_is_the_metrics_name_over_and_over_is_given_up() -> None:
    """Five million finds, none of them a line: the clock was only looked at after a line."""
    began = time.thread_time()
    with pytest.raises(Unusable, match="series that take too long to read"):
        samples(b"#" + b"a" * pods.CAP, {"a"}, time.time())

    assert time.thread_time() - began < PATIENCE + 0.3


async def test_where_the_user_left_the_bound_out_the_buckets_offer_it() -> None:
    """Every bucket's bound, with how many requests took longer."""
    async with pod(always(page(BUCKETS % 8))) as (source, target):
        (spread,) = await source.spreads(Slow(Selector("seconds"), None), [target])

    assert (spread.total, spread.above) == (10.0, {0.1: 5.0, 0.25: 2.0})
