"""`penstock wait` as a pipeline runs it: a process, its exit code, and the reason on stderr."""

import asyncio
import contextlib
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from tests.cluster.cluster import ROOT, Output, ran
from tests.cluster.stage import Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

PENSTOCK = "import penstock.cli.main as m; m.main()"
QUICK = Workload(4, "50%", "25%", "1", "1s..60s")
SLOW = Workload(4, "50%", "25%", "1", "60s..90s")
ASKING = Workload(4, "50%", "25%", "1", "1s..60s", {"penstock.dev/approve": "each"})


@dataclass
class Waiting:
    """A `penstock wait` that runs."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    async def until(self, part: str) -> None:
        """Until it has said something."""
        assert self.process.stderr
        while not any(part in line for line in self.lines):
            line = (await asyncio.wait_for(self.process.stderr.readline(), 60)).decode()
            assert line, self.lines
            self.lines.append(line)

    async def ended(self) -> tuple[int, str]:
        """Its code, and the last thing it said."""
        out, err = await asyncio.wait_for(self.process.communicate(), 90)
        assert out == b""
        self.lines += err.decode().splitlines(keepends=True)
        return self.process.returncode or 0, self.lines[-1].rstrip()


async def waiting(here: World, *arguments: str, kubeconfig: Path | None = None) -> Waiting:
    """Start one, and wait until it has connected and looked."""
    where = ("--kubeconfig", str(kubeconfig or here.cluster.kubeconfig), "-n", here.namespace)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PENSTOCK, "wait", NAME, *where, *arguments, cwd=ROOT,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    return Waiting(process)


async def asked(here: World, *arguments: str) -> Output:
    """One whole conversation."""
    where = ("--kubeconfig", str(here.cluster.kubeconfig), "-n", here.namespace)
    return await ran(sys.executable, "-c", PENSTOCK, "wait", NAME, *where, *arguments)


async def at_rest(here: World, workload: Workload) -> None:
    await here.start_controller()
    await here.create(workload.manifest())


async def quicken(here: World) -> None:
    """The step is over when this is seen; so no test has to be faster than a rollout."""
    await here.client.merge(here.path, {"metadata": {"annotations": {"penstock.dev/step-time": "1s..60s"}}})


async def promoted(here: World) -> None:
    """From the declaration to the last pod; and once more afterwards, when it has ended already."""
    await at_rest(here, SLOW)
    never = await asked(here)
    assert (never.code, never.err) == (
        0,
        f"{here.namespace}/web: promoted: no rollout was started; all 4 pods run the declared version\n",
    )
    await here.release(SLOW, "2")
    one = await waiting(here)
    await one.until("Holding, step 1")
    await quicken(here)
    code, last = await one.ended()
    assert (code, last) == (0, f"{here.namespace}/web: promoted: all 4 pods run the new version")
    assert here.pods("2") == 4
    late = await asked(here, "-o", "json")
    assert (late.code, json.loads(late.out)) == (
        0,
        {
            "namespace": here.namespace,
            "name": "web",
            "rollout": None,
            "code": 0,
            "result": "promoted",
            "reason": "",
            "message": "its rollout has ended already; all 4 pods run the declared version",
        },
    )
    rejected = await asked(here, "--for", "rejected")
    assert rejected.code == 3
    assert "promoted, and not rejected: " in rejected.err


async def rejected(here: World) -> None:
    """A crash is told with its reason, and told again to the one who asks later."""
    await at_rest(here, SLOW)
    await here.release(SLOW, "2")
    one = await waiting(here)
    two = await waiting(here, "--for", "rejected")
    await one.until("Holding, step 1")
    await two.until("Holding, step 1")
    await here.ask("abort")
    code, last = await one.ended()
    assert code == 1
    assert last.startswith(f"{here.namespace}/web: rejected: taken back, all pods run the former version: a person")
    assert (await two.ended())[0] == 0
    assert (await asked(here)).code == 1
    again = await here.kubectl("apply", "-f", "-", stdin=json.dumps(SLOW.manifest("2")))
    assert again.code == 0, again.err
    assert (await asked(here, "--timeout", "0")).code == 1


async def held(here: World) -> None:
    """Held, it goes on waiting for the person until its time is over; who waits for just that is told at once."""
    await at_rest(here, ASKING)
    await here.release(ASKING, "2")
    one, two = await waiting(here), await waiting(here, "--for", "held")
    assert (await two.ended())[0] == 0
    await one.until("approval is awaited")
    late = await asked(here, "--timeout", "1s")
    assert late.code == 2
    assert "web: held: Holding, step 1: step 1 of 1: 1 of 4 pods" in late.err.splitlines()[-1]
    assert one.process.returncode is None
    assert (await here.kubectl("rollout", "resume", "deployment/web")).code == 0
    assert (await one.ended())[0] == 0


async def superseded(here: World) -> None:
    """The version that was waited for will never be promoted; that the newer one will be is no answer."""
    await at_rest(here, SLOW)
    await here.release(SLOW, "2")
    one = await waiting(here)
    await one.until("Holding, step 1")
    await here.release(SLOW, "3")
    code, last = await one.ended()
    assert code == 3
    assert "gone: a newer version was declared before this one had ended" in last
    two = await waiting(here)
    await two.until("Holding, step 1")
    await here.release(SLOW, "1")
    code, last = await two.ended()
    assert (code, last) == (3, f"{here.namespace}/web: gone: the former version was declared again")


async def let_go(here: World) -> None:
    """Released by break-glass, then deleted: neither is a verdict."""
    await at_rest(here, SLOW)
    await here.release(SLOW, "2")
    one = await waiting(here)
    await one.until("Holding, step 1")
    here.recorder.free.add(image("2"))
    assert (await here.kubectl("label", "deployment", NAME, "penstock.dev/enabled=false")).code == 0
    code, last = await one.ended()
    assert code == 3
    assert "gone: it was released: it goes to all pods at once, not judged" in last
    await here.until("released", lambda: here.at_rest() and here.pods("2") == 4)
    await here.kubectl("label", "deployment", NAME, "penstock.dev/enabled-")
    await here.release(SLOW, "3")
    two = await waiting(here)
    await two.until("Holding, step 1")
    await here.remove()
    assert await two.ended() == (3, f"{here.namespace}/web: gone: the Deployment was deleted")


async def created(here: World) -> None:
    """A pipeline that begins before its tool has applied anything."""
    await here.start_controller()
    unknown = await asked(here)
    assert (unknown.code, unknown.err.splitlines()[0]) == (
        4,
        f"Error: there is no Deployment web in namespace {here.namespace}",
    )
    one = await waiting(here, "--begin", "60s")
    await one.until("waiting for a rollout to begin")
    await here.create(SLOW.manifest())
    code, last = await one.ended()
    assert code == 0
    assert "no rollout was started; all 4 pods run the declared version" in last
    two = await waiting(here, "--begin", "60s")
    await two.until("waiting for a rollout to begin")
    await here.release(SLOW, "2")
    await two.until("Holding, step 1")
    await quicken(here)
    assert await two.ended() == (0, f"{here.namespace}/web: promoted: all 4 pods run the new version")


async def nobody_at_work(here: World) -> None:
    """A dead controller is named, for time alone explains nothing."""
    await here.create(QUICK.manifest())
    await here.release(QUICK, "2")
    late = await asked(here, "--timeout", "2s")
    assert late.code == 2
    assert "web: not ended in time: Pending, step 0: the controller has said nothing of it yet" in late.err
    assert "nothing moves on, no controller " in late.err
    await here.start_controller()
    await here.until_promoted("2")


@dataclass
class Link:
    """A wire to the API server that can be cut."""

    server: asyncio.Server
    wires: set[asyncio.StreamWriter]
    refusing: bool = False

    def cut(self) -> None:
        for wire in self.wires:
            wire.transport.abort()


@contextlib.asynccontextmanager
async def link(kubeconfig: Path, file: Path) -> AsyncIterator[Link]:
    """A kubeconfig whose connections pass here, byte by byte."""
    content = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
    place = content["clusters"][0]["cluster"]
    port = int(place["server"].rpartition(":")[2])

    async def pump(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
        target.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if found.refusing:
            writer.transport.abort()
            return
        below, above = await asyncio.open_connection("127.0.0.1", port)
        found.wires |= {writer, above}
        await asyncio.gather(pump(reader, above), pump(below, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    found = Link(server, set())
    place["server"] = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await asyncio.to_thread(file.write_text, yaml.safe_dump(content))
    try:
        yield found
    finally:
        found.cut()
        server.close()


async def broken(here: World) -> None:
    """The wire breaks twice, once until after the end: it is found out as soon as there is a wire again."""
    await at_rest(here, SLOW)
    async with link(here.cluster.kubeconfig, here.logs / f"{here.namespace}.link") as wire:
        await here.release(SLOW, "2")
        one = await waiting(here, kubeconfig=here.logs / f"{here.namespace}.link")
        await one.until(", step ")
        wire.cut()
        await one.until("Holding, step 1")
        wire.refusing = True
        wire.cut()
        await quicken(here)
        await here.until_promoted("2")
        await here.silence(2)
        wire.refusing = False
        begun = time.monotonic()
        assert await one.ended() == (0, f"{here.namespace}/web: promoted: all 4 pods run the new version")
        assert time.monotonic() - begun < 35


async def cut_off(here: World) -> None:
    """A cluster that does not answer any more is said to be that when time is over."""
    await at_rest(here, SLOW)
    async with link(here.cluster.kubeconfig, here.logs / f"{here.namespace}.link") as wire:
        await here.release(SLOW, "2")
        one = await waiting(here, "--timeout", "12s", kubeconfig=here.logs / f"{here.namespace}.link")
        await one.until("Holding, step 1")
        wire.refusing = True
        wire.cut()
        code, last = await one.ended()
        assert code == 2
        assert "; the cluster does not answer: " in last


async def test_the_exit_code_says_what_became_of_the_release(stage: Stage) -> None:
    """Each end that a release can take, each way in which a pipeline may come too early or too late."""
    scenarios: dict[str, Callable[[World], Awaitable[None]]] = {
        "promoted": promoted,
        "rejected": rejected,
        "held": held,
        "superseded, reverted": superseded,
        "released, deleted": let_go,
        "created": created,
        "no controller": nobody_at_work,
        "a broken wire": broken,
        "cut off": cut_off,
    }
    await stage.play(scenarios, width=5)
