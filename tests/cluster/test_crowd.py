"""Many releases at once: each is gated, and none waits for the others more than a few seconds.

Measured is the time from the admission of a change to the patch that opens its first window, by when both were
heard of. In between stands nothing but the controller.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cluster import cluster as sandbox
from tests.cluster.crowd import Crowd, Member, crowd
from tests.cluster.stage import Stage
from tests.cluster.workload import Workload

pytestmark = pytest.mark.cluster

PAIR = Workload(2, "25%", "25%", "1", "20s..60s")

APART = 5.0
"""Seconds by which the slowest first window may come later than the median one."""

RATE = 200
"""Requests per second of each native controller, for three hundred: with fewer, one would measure these alone."""


@pytest.fixture
async def quick_stage(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> AsyncIterator[Stage]:
    """On a control plane of its own."""
    cluster = sandbox.up(tmp_path_factory.mktemp("sandbox"), RATE)
    opened = await Stage.open(cluster, tmp_path)
    yield opened
    await opened.close()
    sandbox.down(cluster)


async def test_twenty_releases_by_one_apply_are_all_gated_and_none_waits_long(stage: Stage) -> None:
    """The same for three hundred is part of the full run."""
    async with crowd(stage.cluster, stage.client, PAIR, {"crowd": 19, "neighbour": 1}) as here:
        took = await here.apply("2")
        await here.until_opened("2", 20)
        delays = here.delays("2")
        print(f"\napplied in {took:.1f} s; {delays}")
        assert here.violations() == []
        assert delays.slowest <= delays.median + APART


@pytest.mark.full
async def test_three_hundred_releases_by_one_apply_are_worked_fairly(quick_stage: Stage) -> None:
    """Every one is gated; the slowest first window comes at most five seconds after the median one; and a tenant with
    two hundred of them does not delay another's single one by more than that."""
    async with crowd(quick_stage.cluster, quick_stage.client, PAIR, {"crowd": 200, "others": 99, "alone": 1}) as here:
        computed = here.computed()
        took = await here.apply("2")
        await here.until_opened("2", 300)
        delays = here.delays("2")
        computed = here.computed() - computed
        print(f"\napplied in {took:.1f} s; {delays}; the controller computed {computed:.1f} s")
        await here.until_at_rest("2")
        many = [m for m in here.members if m.namespace.startswith("crowd")]
        single = here.members[-1]
        beside = await one_among_many(here, many, single)
        print(f"200 of another tenant: {here.delays('3', many)}; the single one beside them: {beside:.2f} s")
        assert here.violations() == []
        assert delays.slowest <= delays.median + APART
        assert beside <= APART


async def one_among_many(here: Crowd, many: list[Member], single: Member) -> float:
    """Its delay when it is applied while half of the many are still to come."""
    crowded = asyncio.create_task(here.apply("3", many))
    await here.until(lambda: len(here.gated("3")) >= len(many) // 2)
    await here.apply("3", [single])
    await crowded
    await here.until_opened("3", len(many) + 1)
    return here.delays("3", [single]).of[single]
