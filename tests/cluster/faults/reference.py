"""The rollout that every fault is tried on, its end, and what must not have happened on the way."""

import os
from collections import Counter
from collections.abc import Mapping

import pytest

from tests.cluster.ends import restored
from tests.cluster.reading import Deployment
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

WORKLOAD = Workload(4, "25%", "25%", "1, 50%", "1s..60s")
"""One window for each step: a second one would be a step made twice."""

CONVERGED = 120.0
"""Seconds after the last fault in which the rollout must have come to its end."""

ONLY = os.environ.get("PENSTOCK_TEST_ONLY", "")
"""The name of one scenario, to be played alone."""


async def begin(here: World, *, good: bool = True) -> None:
    """The new version is declared; a bad one crashes at once."""
    if not good:
        here.recorder.failing.add("app:2")
    behaviour = {} if good else {"behaviour": "crash-loop", "after": "300ms", "back_off": "300ms"}
    await here.release(WORKLOAD, "2", **behaviour)


async def end(here: World, *, good: bool = True) -> None:
    """The same end as without any fault, in time, and no step made twice."""
    if good:
        await here.until_promoted("2", CONVERGED)
        await restored(here)
    else:
        await here.until_rejected(CONVERGED)
        assert (here.deployment["spec"]["paused"], here.pods("2")) == (True, 0)
        assert here.deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "app:2"
    assert {step: count for step, count in windows(here).items() if count > 1} == {}


def windows(here: World) -> Counter[int]:
    """How often each step was opened."""
    found: Counter[int] = Counter()
    before: Deployment | None = None
    for event in sorted(here.recorder.events, key=lambda event: event.version):
        if isinstance(event.object, Deployment):
            now = event.object
            opened = before is not None and before.paused and not now.paused
            if opened and now.grant and now.grant.phase == "Opening":
                found[now.grant.step] += 1
            before = now
    return found


async def played(stage: Stage, scenarios: Mapping[str, Scenario], width: int = 8) -> None:
    """Play them; a failure says how to play one of them again."""
    chosen = {name: scenario for name, scenario in scenarios.items() if ONLY in ("", name)}
    try:
        await stage.play(chosen, width=width)
    except pytest.fail.Exception as failure:
        test = os.environ.get("PYTEST_CURRENT_TEST", "").partition(" ")[0]
        again = f"one of them alone, with its name from above: PENSTOCK_TEST_ONLY='NAME' .venv/bin/pytest -s '{test}'"
        pytest.fail(f"{failure.msg}\n\n{again}", pytrace=False)
