"""A real Prometheus: what it stores of a pod is what we read, to the last request."""

import asyncio
import http.client
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from penstock.core import promql
from penstock.core.queries import Slow, errors, limit, slow
from penstock.core.reading import Reading
from penstock.metrics.configuration import Prometheus as Settings
from penstock.metrics.prometheus import Prometheus
from penstock.metrics.source import Target
from tests.sources.exposed import PROTOBUF, Exposed, native

pytestmark = pytest.mark.cluster

ODD = r'a"b\c{}=~|.*'
"""A label's value with all that could break out of something."""


def text(scrape: int) -> bytes:
    """Ten requests and one error more at every scrape, so that a value tells which scrape it is of."""
    odd = ODD.replace("\\", "\\\\").replace('"', '\\"')
    return f"""# TYPE requests_total counter
requests_total{{code="200",path="{odd}"}} {9 * scrape}
requests_total{{code="500",path="{odd}"}} {scrape}
# TYPE seconds histogram
seconds_bucket{{le="0.1"}} {5 * scrape}
seconds_bucket{{le="0.250"}} {8 * scrape}
seconds_bucket{{le="1.0"}} {9 * scrape}
seconds_bucket{{le="+Inf"}} {10 * scrape}
seconds_sum 1
seconds_count {10 * scrape}
""".encode()


@dataclass
class World:
    """A server and three pods: two with text, one with native histograms."""

    url: str
    pods: dict[str, Exposed]

    def targets(self, *names: str) -> list[Target]:
        return [Target("shop", name) for name in names]

    def source(self) -> Prometheus:
        return Prometheus(Settings(url=self.url, lookback=20))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Scrapes every second."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("needs the Debian package prometheus")
    directory = tmp_path_factory.mktemp("prometheus")
    pods = {"web-a": Exposed(text), "web.b": Exposed(text), "web-n": Exposed(_native, PROTOBUF)}
    with ExitStack() as stack:
        found = [
            {"targets": [stack.enter_context(pod.serving())], "labels": {"namespace": "shop", "pod": name}}
            for name, pod in pods.items()
        ]
        url = stack.enter_context(_running(program, directory, found))
        yield World(url, pods)


def _native(scrape: int) -> bytes:
    return native("seconds", -2, [10 * scrape, 20 * scrape, 4 * scrape])


class _running:
    """Prometheus while it is needed."""

    def __init__(self, program: str, directory: Path, found: list[dict[str, object]]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        job = {"job_name": "pods", "static_configs": found}
        configuration = {"global": {"scrape_interval": "1s", "scrape_timeout": "1s"}, "scrape_configs": [job]}
        (directory / "prometheus.yaml").write_text(yaml.safe_dump(configuration))
        flags = {
            "config.file": directory / "prometheus.yaml",
            "storage.tsdb.path": directory / "data",
            "web.listen-address": f"127.0.0.1:{self.port}",
            "enable-feature": "native-histograms",
            "log.level": "error",
        }
        self.command = [program, *(f"--{name}={value}" for name, value in flags.items())]

    def __enter__(self) -> str:
        self.process = subprocess.Popen(self.command, cwd="/")
        deadline = time.monotonic() + 30
        while not self._ready():
            assert self.process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        return f"http://127.0.0.1:{self.port}"

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        try:
            connection.request("GET", "/-/ready")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()


async def until(read: Callable[[], Awaitable[Reading]], holds: Callable[[Reading], bool]) -> Reading:
    """The first reading for which it holds."""
    deadline = time.monotonic() + 30
    while True:
        found = await read()
        if holds(found):
            return found
        assert time.monotonic() < deadline, found
        await asyncio.sleep(0.25)


ERRORS = errors('requests_total{code="500"} / requests_total')


async def test_counters_are_those_of_one_scrape_however_often_one_looks(world: World) -> None:
    """A sample of its own for each scrape: ten requests to one error, always. An instant query fails this when a
    scrape comes between the two."""
    seen: set[tuple[str, float]] = set()
    async with world.source() as source:
        targets = world.targets("web-a", "web.b")

        async def read() -> Reading:
            return (await source.read([ERRORS], targets))[0]

        await until(read, lambda reading: len(reading.pods) == 2)
        for _ in range(40):
            reading = await read()
            assert reading.trouble == ""
            for name, counters in reading.pods.items():
                assert sum(counters.all.values()) == 10 * sum(counters.bad.values()) > 0
                assert sum(counters.bad.values()) <= world.pods[name].scrapes
                seen.add((name, counters.time))
            await asyncio.sleep(0.1)

    assert len(seen) >= 6
    assert all(time.time() - 20 < when <= time.time() + 1 for _, when in seen)
    path = f"path={ODD!r}"
    instance = next(iter(reading.pods["web-a"].bad)).split(",")[1]
    assert sorted(reading.pods["web-a"].all) == [f"code='200',{instance},{path}", f"code='500',{instance},{path}"]


async def test_matchers_of_users_arrive_as_they_were_written(world: World) -> None:
    """Quotes, backslashes, braces and all."""
    quoted = ODD.replace("\\", "\\\\").replace('"', '\\"')
    exact = errors(f'requests_total{{path="{quoted}",code=~"5.."}} / requests_total')
    other = errors('requests_total{path="other"} / requests_total{path!~"a.*"}')
    async with world.source() as source:
        one, two = await source.read([exact, other], world.targets("web-a"))

    (bad,) = one.pods["web-a"].bad.values()
    assert bad > 0
    assert (two.trouble, two.pods["web-a"].all, two.pods["web-a"].bad) == ("", {}, {})  # it answers, without requests


@pytest.mark.parametrize(("bound", "share"), [("100ms", 5), ("250ms", 2), ("1s", 1)])
async def test_classic_histograms_whichever_way_bounds_are_written(world: World, bound: str, share: int) -> None:
    """0.1, 0.250 and 1.0."""
    async with world.source() as source:
        (found,) = await source.read([slow(f"seconds > {bound}")], world.targets("web-a"))

    counters = found.pods["web-a"]
    assert sum(counters.bad.values()) * 10 == sum(counters.all.values()) * share > 0


async def test_a_bound_that_is_no_bucket_names_those_there_are(world: World) -> None:
    """The user's next step."""
    async with world.source() as source:
        (found,) = await source.read([slow("seconds > 300ms")], world.targets("web-a"))
        (spread,) = await source.spreads(Slow(slow("seconds").histogram, None), world.targets("web-a"))

    assert found.trouble == "seconds of pod web-a has no bucket with the bound 0.3 s; it has 0.1, 0.25, 1"
    assert {bound: round(10 * above / spread.total) for bound, above in (spread.above or {}).items()} == {
        0.1: 5,
        0.25: 2,
        1.0: 1,
    }


@pytest.mark.parametrize(("bound", "above"), [("250ms", 24), ("375ms", 14), ("500ms", 4), ("2s", 0)])
async def test_native_histograms_at_any_bound(world: World, bound: str, above: int) -> None:
    """Between two bounds of its buckets by interpolation."""
    async with world.source() as source:

        async def read() -> Reading:
            return (await source.read([slow(f"seconds > {bound}")], world.targets("web-n")))[0]

        found = await until(read, lambda reading: bool(reading.pods and reading.pods["web-n"].all))

    counters = found.pods["web-n"]
    assert sum(counters.bad.values()) * 34 == pytest.approx(sum(counters.all.values()) * above)


async def test_limits_are_numbers_of_any_query(world: World) -> None:
    """With names of pods put in, and a dot in one of them that is no pattern."""
    values = promql.values("shop", "web", ["web.b"], ["web-a"], 10)
    async with world.source() as source:
        told = [
            await source.scalar(limit(f"{query} < 1"), values)
            for query in (
                'count(up{namespace="{{ namespace }}",pod=~"{{ new }}|{{ old }}"})',
                'count(up{pod=~`{{ new }}`}) + count(count_over_time(up{pod=~"{{ old }}"}[{{ window }}]))',
                'up{pod="nobody"}',
                "up",
                "0/0",
                "sum(up",
            )
        ]

    assert [(scalar.value, scalar.trouble) for scalar in told] == [
        (2.0, ""),
        (2.0, ""),
        (None, ""),
        (None, "the query gives 3 series, expected one; put max(), min() or sum() around it"),
        (None, "the query gives no finite number"),
        (None, "Prometheus: the query is wrong: 1:7: parse error: unclosed left parenthesis"),
    ]


async def test_a_pod_that_goes_is_missing_soon_and_stays_in_the_history(world: World) -> None:
    """The last of these tests: its counts end with its last scrape, and none of them is lost."""
    began = time.time() - 5
    async with world.source() as source:
        targets = world.targets("web-a", "web.b")

        async def read() -> Reading:
            return (await source.read([ERRORS], targets))[0]

        await until(read, lambda reading: len(reading.pods) == 2)
        world.pods["web.b"].close()
        scrapes = world.pods["web.b"].scrapes
        gone = await until(read, lambda reading: list(reading.pods) == ["web-a"])
        history = await source.history(ERRORS, targets, began, 0.5)

    assert gone.trouble == ""
    assert {reading.trouble for reading in history} == {""}
    last = [reading.pods["web.b"] for reading in history if "web.b" in reading.pods][-1]
    assert sum(last.bad.values()) == scrapes
    for reading in history:
        for counters in reading.pods.values():
            assert sum(counters.all.values()) == 10 * sum(counters.bad.values()) > 0
