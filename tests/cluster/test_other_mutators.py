"""Other mutating webhooks see the same writes, before ours or after it: images by digest, sidecars, an order of taste.

What they make of an unchanged manifest must be no new release, and what we add must survive them. One that takes our
pause away cannot be worked with: in strict mode its writes are refused.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace as changed
from typing import Any

import pytest

from penstock.kube import ApiError
from tests.cluster.ends import restored
from tests.cluster.mutator import Mutation, digests, mutator, reordered, resolved, sidecar, unpaused
from tests.cluster.serving import looks
from tests.cluster.stage import Scenario, Stage
from tests.cluster.strict import strict
from tests.cluster.tools import Tool, argo, flux
from tests.cluster.workload import Workload, image
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

LONG = Workload(10, "25%", "25%", "2, 50%", "2s..60s")
Object = dict[str, Any]


def with_environment(manifest: Object) -> Object:
    """Two variables, not in the alphabet's order."""
    container = manifest["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "TWO", "value": "2"}, {"name": "ONE", "value": "1"}]
    return manifest


def by_digest(version: str) -> str:
    """How a version is called once its image has been resolved."""
    return f"{version}@sha256:{resolved(image(version))}"


def as_it_is(version: str) -> str:
    """How it is called where the image stays."""
    return version


def applied_all_the_time(mutation: Mutation, name: Callable[[str], str], tool: Tool, *, before: bool) -> Scenario:
    """A manifest is applied again and again, at rest and through a whole rollout."""

    async def scenario(here: World) -> None:
        async with mutator(here, mutation, before=before) as mutated:
            await here.start_controller()
            first, second = with_environment(LONG.manifest()), with_environment(LONG.manifest("2"))
            await tool(here, first)
            await here.until("at rest", here.at_rest)
            here.born = here.deployment
            for _ in range(3):
                await tool(here, first)
                await here.silence(0.5)
            await here.until("at rest", here.at_rest)
            await restored(here)
            await tool(here, second)
            while not (here.at_rest() and here.pods(name("2")) == 10 and here.pods(name("1")) == 0):
                await tool(here, second)
                await here.silence(0.5)
            await restored(here)
            assert mutated
        steps = [look.step for look in looks(here) if look.phase == "Opening" and look.declared == image(name("2"))]
        assert steps == sorted(steps), "no step is opened again"

    return scenario


async def test_an_unchanged_manifest_is_no_new_release_whatever_others_make_of_it(stage: Stage) -> None:
    """Before ours, and after it, where we see another template than the one that is stored."""
    rows: dict[str, tuple[Mutation, Callable[[str], str]]] = {
        "digests": (digests, by_digest),
        "sidecar": (sidecar, as_it_is),
        "order": (reordered, as_it_is),
    }
    await stage.play(
        {
            f"{what}, {'before' if before else 'after'} ours": applied_all_the_time(*row, flux, before=before)
            for what, row in rows.items()
            for before in (True, False)
        }
    )


MOST = 5
"""A quarter more and a quarter less of ten pods."""

SECOND = {"spec": {"template": {"$patch": "replace", **LONG.template("2")}}}
REFUSAL = "another webhook has taken out spec.paused, which holds this change at its first step"


async def refusal(here: World) -> str:
    """What a write that would begin a rollout is refused with; it waits until the API server knows who to ask."""
    async with asyncio.timeout(30):
        while True:
            try:
                await here.client.strategic(here.path, SECOND, dryRun="All")
            except ApiError as error:
                return error.message
            await here.silence(0.1)


async def refused(here: World) -> None:
    """Every write that would begin a rollout is refused, and says who did it; nothing of it is stored."""
    await here.start_controller()
    await here.create(LONG.manifest())
    async with strict(here), mutator(here, unpaused, before=False):
        assert (await refusal(here)).endswith(REFUSAL)
        for tool in (flux, argo):
            with pytest.raises((ApiError, AssertionError), match=REFUSAL):
                await tool(here, LONG.manifest("2"))
        await here.silence(1)
        assert (here.pods("2"), here.record, here.deployment["spec"].get("paused")) == (0, {}, None)
    await here.release(LONG, "2")
    await here.until_promoted("2")
    await restored(here)


async def let_through(here: World) -> None:
    """Without strict mode the change runs at once, and every pause of ours is taken out again: no step can be kept. The
    controller's brake stops it at the user's own maxSurge and maxUnavailable, where pods take longer to become Ready
    than the brake takes to be written."""
    slow = changed(LONG, ready_after="4s")
    await here.start_controller()
    await here.create(slow.manifest())
    here.recorder.free.add(image("2"))
    async with mutator(here, unpaused, before=False):
        await here.release(slow, "2")
        await here.until("braked", lambda: here.condition("reason") == "PausedAgain")
        await here.silence(5)
        assert (here.pods("2"), here.phase()) == (MOST, "Pending")
    await here.until_promoted("2")
    await restored(here)


async def test_a_webhook_that_takes_the_pause_away_is_refused_in_strict_mode(stage: Stage) -> None:
    """Ours comes too early then: what it added is gone when the object is stored."""
    await stage.play({"strict": refused, "not strict": let_through})
