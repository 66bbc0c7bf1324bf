"""No tenant sends the controller anywhere: each connection and each look-up of a name is recorded, in the interpreter.

Recorded is also what a library does on its own. What leads beyond loopback is refused there, after it was noted.
"""

import asyncio
import contextlib
import logging
import re
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from controller.sources.pods import Pods
from penstock.core import keys, plan, promql
from penstock.core.queries import errors, slow
from penstock.core.units import AnnotationError
from penstock.metrics.source import Target
from tests.kube.loopback import Asked, Loopback, always, http
from tests.sources import servers, vectors
from tests.sources.servers import pod

ERRORS = errors("bad / requests_total")
CANARY = "body-of-somebody-elses-answer"
_LISTENING: list[list[Any]] = []


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not _LISTENING or event not in ("socket.connect", "socket.getaddrinfo"):
        return
    place = arguments[1] if event == "socket.connect" else arguments[:2]
    _LISTENING[-1].append(place[:2] if isinstance(place, tuple) else place)
    if not isinstance(place, tuple) or place[0] != "127.0.0.1":
        raise OSError("nothing leaves this test")


@pytest.fixture(scope="module", autouse=True)
def _hooked() -> None:
    sys.addaudithook(_audit)  # it cannot be taken away, so it listens only where asked


@contextlib.contextmanager
def recorded() -> Iterator[list[Any]]:
    """Where connections went, or names were looked up."""
    _LISTENING.append([])
    try:
        yield _LISTENING[-1]
    finally:
        _LISTENING.pop()


def of(ip: str = vectors.OWN, **notes: str) -> Target:
    """A pod with these annotations."""
    annotations = {f"prometheus.io/{key}": value for key, value in {"scrape": "true", "port": "80", **notes}.items()}
    metadata = {"namespace": "shop", "name": "web", "annotations": annotations}
    return Target.of({"metadata": metadata, "spec": {"containers": []}, "status": {"podIP": ip}}, True)


async def connections(forged: list[dict[str, str]]) -> dict[str, list[Any]]:
    """Those of one look at each."""
    out = {}
    async with Pods() as source:
        for each in forged:
            with recorded() as found:
                await source.read([ERRORS], [of(**each)])
            out[repr(each)] = found
    return out


FORGED = {
    "ip": vectors.ADDRESSES,
    "scheme": vectors.SCHEMES,
    "port": vectors.PORTS,
    "path": vectors.PATHS,
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_forged_place_is_not_asked(kind: str) -> None:
    """No connection, and no name is looked up, which would be a message as well."""
    found = await connections([{kind: value} for value in FORGED[kind]])
    assert {forged: places for forged, places in found.items() if places} == {}


async def test_a_strange_path_leads_to_the_pod_itself() -> None:
    """And the recorder records: here there is something to be found."""
    found = await connections([{"path": path} for path in vectors.STRANGE_PATHS])
    assert list(found.values()) == [[(vectors.OWN, 80)]] * len(vectors.STRANGE_PATHS)


@pytest.mark.parametrize("source", vectors.SOURCES)
def test_a_source_is_no_address(source: str) -> None:
    """It is refused where it is written, and is no plan for the controller either."""
    with pytest.raises(AnnotationError):
        plan.check(keys.SOURCE, source)
    with pytest.raises(AnnotationError):
        plan.plan({keys.SOURCE: source}, {})


ANSWERS = [(status, "Location", location) for status in vectors.STATUSES for location in vectors.LOCATIONS] + [
    (status, name, value) for status in (200, 401, 503) for name, value in vectors.HINTS.items()
]


async def test_an_answer_leads_nowhere_and_is_shown_nowhere(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """One connection each, to the pod; nothing of what it said in what people read, nor in a log."""
    caplog.set_level(logging.DEBUG)
    answer = b""

    async def respond(_asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    async with Loopback(always(http(200, CANARY.encode()))).running() as trap, pod(respond) as (source, target):
        for status, name, value in ANSWERS:
            headers = {
                name: value.format(trap=f"127.0.0.1:{trap.port}"),
                "X-Note": CANARY,
                "Content-Type": "text/plain",
            }
            answer = http(status, f'bad{{x="{CANARY}"}} {CANARY}\n'.encode(), CANARY, **headers)
            with recorded() as found:
                (reading,) = await source.read([ERRORS], [target])
            assert (found, reading.pods) == ([("127.0.0.1", target.port)], {})
            assert reading.trouble.startswith("no pod could be read: ")
            assert CANARY not in reading.trouble
    assert trap.connections == 0
    assert CANARY not in caplog.text + "".join(capsys.readouterr())


async def test_a_name_that_is_none_is_put_into_no_query() -> None:
    """Names come from the API server, which allows none of these; whoever stands in for it is not believed."""
    asked = [target for name in vectors.NAMES for target in (Target(name, "a"), Target("shop", name))]
    async with servers.prometheus(always(servers.said([], "matrix"))) as (source, server):
        for target in asked:
            (reading,) = await source.read([ERRORS], [target])
            assert "is no name of a pod, workload or namespace" in reading.trouble
    assert server.asked == []


@pytest.mark.parametrize("name", vectors.NAMES)
def test_a_name_that_is_none_is_no_value_of_a_limit(name: str) -> None:
    """In none of its places."""
    for namespace, workload, pods in ((name, "web", []), ("shop", name, []), ("shop", "web", [name])):
        with pytest.raises(promql.Unsafe):
            promql.values(namespace, workload, pods, [], 60)


QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"')
MATCHER = r"\w+(=|!=|=~|!~)Q"
LIMITED = re.compile(rf"[a-zA-Z_:][\w:]*\{{namespace=~Q,pod=~Q(,\s*{MATCHER})*,?\}}\[\d+ms\]")


@pytest.mark.parametrize("text", vectors.SELECTORS)
@pytest.mark.parametrize("kind", ["bad", "all", "slow"])
async def test_a_selector_is_refused_or_stays_within_its_pods(text: str, kind: str) -> None:
    """Seen as the server sees it, without the quoted parts: one selector, one range, and our matchers first."""
    written = {"bad": f"{text} / all", "all": f"bad / {text}", "slow": f"{text} > 250ms"}[kind]
    try:
        check = slow(written) if kind == "slow" else errors(written)
    except AnnotationError:
        return
    async with servers.prometheus(always(servers.said([], "matrix"))) as (source, server):
        await source.read([check], [Target("shop", "web-1", True)])
    queries = [request.query.get("query") or _form(request.body) for request in server.asked]
    assert queries
    for query in queries:
        assert LIMITED.fullmatch(QUOTED.sub("Q", query)), query
        assert query.split("{", 1)[1].startswith('namespace=~"shop",pod=~"web-1"')


def _form(body: bytes) -> str:
    return parse_qs(body.decode())["query"][0]


def test_there_are_as_many_vectors_as_were_promised() -> None:
    """So that a table that is cut short is noticed."""
    ssrf = sum(map(len, FORGED.values())) + len(vectors.STRANGE_PATHS) + len(vectors.SOURCES) + len(ANSWERS)
    queries = len(vectors.NAMES) + len(vectors.SELECTORS)
    assert (ssrf >= 80, queries >= 60) == (True, True)
