"""Every strategy at every size keeps its steps, its floor and its cap, from the first pod to the last.

The recorder judges each event; what is asserted here is that the rollout gets to its end, and how it leaves things.
"""

import itertools

import pytest

from tests.cluster.ends import restored
from tests.cluster.reading import Amount
from tests.cluster.stage import Scenario, Stage
from tests.cluster.workload import Workload
from tests.cluster.world import World

pytestmark = pytest.mark.cluster

STRATEGIES: tuple[tuple[Amount, Amount], ...] = (
    ("25%", "25%"), (1, 0), (0, 1), ("50%", 0), ("100%", 0), ("10%", "10%"),
)  # fmt: skip
SIZES = (1, 2, 3, 4, 10, 20)
STEPS = ("10%, 25%, 50%", "1", "2, 50%", "1, 2, 3, 100%")

REPRESENTATIVE: tuple[tuple[Amount, Amount, int, str], ...] = (
    ("25%", "25%", 1, "1"),
    ("25%", "25%", 4, "1, 2, 3, 100%"),
    ("25%", "25%", 10, "10%, 25%, 50%"),
    ("25%", "25%", 20, "10%, 50%"),
    (1, 0, 2, "1"),
    (1, 0, 4, "50%"),
    (1, 0, 10, "2, 50%"),
    (0, 1, 1, "1"),
    (0, 1, 3, "1, 2"),
    (0, 1, 10, "1, 30%"),
    ("50%", 0, 3, "1"),
    ("50%", 0, 10, "2, 80%"),
    ("100%", 0, 1, "100%"),
    ("100%", 0, 4, "1, 100%"),
    ("100%", 0, 20, "25%, 75%"),
    ("10%", "10%", 2, "1"),
    ("10%", "10%", 10, "1, 2, 3, 100%"),
)


def stepped(workload: Workload) -> Scenario:
    """A rollout from rest to its end."""

    async def scenario(here: World) -> None:
        await here.start_controller()
        await here.create(workload.manifest())
        await here.release(workload, "2")
        await here.until_promoted("2")
        await restored(here)

    return scenario


def table(rows: tuple[tuple[Amount, Amount, int, str], ...]) -> dict[str, Scenario]:
    """Scenarios by what they are."""
    return {
        f"{surge}/{unavailable}, {replicas} pods, steps {steps}": stepped(
            Workload(replicas, surge, unavailable, steps, "1s..60s")
        )
        for surge, unavailable, replicas, steps in rows
    }


async def test_each_strategy_keeps_its_steps_its_floor_and_its_cap(stage: Stage) -> None:
    """The promise to anyone who labels a namespace: whatever the strategy, never more new pods than the step."""
    await stage.play(table(REPRESENTATIVE))


@pytest.mark.full
async def test_every_strategy_at_every_size_with_every_list_of_steps(stage: Stage) -> None:
    """The same for all combinations; rounding differs in each."""
    rows = [(*s, r, steps) for s, r, steps in itertools.product(STRATEGIES, SIZES, STEPS)]
    await stage.play(table(tuple(rows)))
