"""`make golden`: puts a real kube-controller-manager through every scenario and writes down what it did.

With names of scenarios, only these. Traces of scenarios that are gone go too. Read the diff: a change in it is a
change of Kubernetes, or of a scenario, and the model of the tests has to follow.
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from penstock.kube import Client, objects
from sandbox.cluster import Sandbox
from sandbox.spec import Spec
from tests.golden.recording import Recording
from tests.golden.scenarios import SCENARIOS, Scenario
from tests.golden.trace import TRACES, Trace, file, save

WIDTH = 6
"""Scenarios at once."""

RATE = 100
"""Requests per second of the native controllers: their own default would make a recording wait, not act otherwise."""


async def record(config: Path, wanted: list[Scenario]) -> list[Trace]:
    """All scenarios, some at a time."""
    places = asyncio.Semaphore(WIDTH)
    async with Client.connect(str(config), user_agent="tests") as client:

        async def one(number: int, scenario: Scenario) -> Trace:
            namespace = f"golden-{number}-{int(time.time()) % 100000}"
            async with places:
                await client.post(objects.namespaces(), {"metadata": {"name": namespace}})
                trace = await Recording(client, scenario, namespace).play()
                await client.delete(objects.namespace(namespace))
            print(f"  {scenario.name}", flush=True)
            return trace

        return list(await asyncio.gather(*(one(*each) for each in enumerate(wanted))))


async def version(config: Path) -> str:
    """Of the control plane."""
    async with Client.connect(str(config), user_agent="tests") as client:
        return f"kube-controller-manager {(await client.get('/version'))['gitVersion']}"


def write(config: Path, names: list[str]) -> None:
    """Record and save."""
    unknown = set(names) - {s.name for s in SCENARIOS}
    if unknown:
        raise SystemExit(f"no such scenario: {', '.join(sorted(unknown))}")
    for trace in asyncio.run(record(config, [s for s in SCENARIOS if not names or s.name in names])):
        save(trace)
    (TRACES / "recorded-from.txt").write_text(asyncio.run(version(config)) + "\n")
    for path in set(TRACES.glob("*.yaml")) - {file(s.name) for s in SCENARIOS}:
        path.unlink()


def main() -> None:
    """In a cluster of its own, without Penstock; with --kubeconfig FILE in a running one."""
    if sys.argv[1:2] == ["--kubeconfig"]:
        write(Path(sys.argv[2]), sys.argv[3:])
        return
    with tempfile.TemporaryDirectory() as directory:
        sandbox = Sandbox(directory)
        sandbox.up(Spec(0, 1, penstock=False, kube_api_qps=RATE))
        try:
            write(sandbox.kubeconfig, sys.argv[1:])
        finally:
            sandbox.down()


if __name__ == "__main__":
    main()
