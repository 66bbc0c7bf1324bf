"""Whatever only shows a rollout to people may fail, and the rollout goes on: also everybody else's."""

import asyncio
from collections.abc import Iterator, MutableMapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from controller import history, loop
from controller.history import History
from controller.observe import Sight
from penstock.core.decision import Decision, Delete
from penstock.core.observation import Observation
from penstock.core.reasons import Reason
from penstock.core.rollout import Phase
from tests.controller.test_rereading import Deaf, running
from tests.core.seen import observation
from tests.core.shop import record, rolling
from tests.kube.memory import Memory, refusal

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]


@pytest.fixture(autouse=True)
def logged() -> Iterator[list[MutableMapping[str, Any]]]:
    """Outside of a controller each logged error is drawn in colours, with all variables, in half a second."""
    with capture_logs() as lines:
        yield lines


def broken(*_: Any, **__: Any) -> None:
    raise OSError("no space left on the disk")


@pytest.mark.parametrize("part", ["decided", "carried_out", "traced"])
async def test_a_rollout_goes_on_where_its_metrics_or_traces_fail(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of ours makes a look wait for half a minute, and the write comes after the metrics: a fault in these
    would hold every rollout."""
    written: list[float] = []

    async def write(*_: Any) -> dict[str, Any]:
        written.append(asyncio.get_running_loop().time())
        return {"metadata": {}}

    decision = Decision(Reason.WINDOW, "on", Delete("web-1", "u2"), wait=1.0, shown=False)
    monkeypatch.setattr(loop, "write", write)
    with running(Deaf(), lambda _: decision, monkeypatch) as rollout:
        monkeypatch.setattr(rollout.shard.telemetry, part, broken)
        await asyncio.sleep(10)
    assert len(written) >= 9


async def test_a_rollout_goes_on_where_its_recording_has_no_space(monkeypatch: pytest.MonkeyPatch) -> None:
    """`--record` is for looking back; a full disk is no reason to hold a release."""

    class Full:
        keep = staticmethod(broken)

    seen: list[Observation] = []

    def decide(observation: Observation) -> Decision:
        seen.append(observation)
        return Decision(Reason.WINDOW, f"look {len(seen)}", wait=1.0, shown=False)

    with running(Deaf(), decide, monkeypatch) as rollout:
        monkeypatch.setattr(rollout.shard, "recording", Full())
        await asyncio.sleep(10)
    assert len(seen) >= 9


async def test_an_error_in_writing_the_history_ends_nothing_but_the_writing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its task is one of the group that holds all rollouts: what comes out of it ended the controller."""

    async def keep(*_: Any) -> None:
        broken()

    monkeypatch.setattr(history, "keep", keep)
    obj = rolling(record(Phase.HOLDING))
    async with asyncio.TaskGroup() as group:
        kept = History(Memory(lambda _: refusal(500, "")).client(), group, obj)  # type: ignore[arg-type]  # not asked
        kept.look(Sight(observation(record(Phase.HOLDING)), obj, {}), Decision(Reason.RELEASED, "opted out"))
        assert kept._task is not None
    assert kept._task is None
