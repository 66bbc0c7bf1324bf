"""What is shown in the status is shown of the rollout that it is about, however late it comes."""

from dataclasses import replace
from typing import Any

import pytest

from controller.act import TRIES, tell, write
from controller.observe import Sight
from penstock.core import keys
from penstock.core.decision import Align, Clean, Decision, Empty, Unmark, Write
from penstock.core.reasons import Reason
from penstock.kube import Conflict, Lease, LeaseLost, objects
from tests.kube.memory import Asked, Memory, Said, refusal, said

PATH = objects.deployment("shop", "web")
WAITING = Decision(Reason.AWAITING_APPROVAL, "step 1 of 3 waits for an approval")

Object = dict[str, Any]


class Shop:
    """One Deployment whose status the native controller writes, `busy` times, between a look and a write of ours."""

    def __init__(self, busy: int = 0) -> None:
        self.version, self.busy, self.record = 10, busy, "{}"
        self.conditions: list[Object] = []
        self.memory = Memory(self._respond)

    @property
    def deployment(self) -> Object:
        return {
            "metadata": {
                "namespace": "shop",
                "name": "web",
                "uid": "u1",
                "resourceVersion": str(self.version),
                "annotations": {keys.RECORD: self.record},
            },
            "spec": {},
            "status": {"conditions": list(self.conditions)},
        }

    async def _respond(self, asked: Asked) -> Said:
        if asked.method == "GET":
            return said(self.deployment)
        if asked.path != objects.status(PATH):
            return said({}, 201)
        if self.busy:
            self.busy, self.version = self.busy - 1, self.version + 1
        if asked.body["metadata"]["resourceVersion"] != str(self.version):
            return refusal(409, "Conflict")
        self.version += 1
        self.conditions = [c for c in asked.body["status"]["conditions"] if "$patch" not in c]
        return said(self.deployment)

    def sight(self) -> Sight:
        return Sight(seen=None, deployment=self.deployment, replicasets={})  # type: ignore[arg-type]  # not looked at

    async def told(self, sight: Sight) -> None:
        await tell(self.memory.client(), sight, WAITING, "me", now=None, changed=True)

    def shown(self) -> list[str]:
        return [c["reason"] for c in self.conditions]

    def events(self) -> int:
        return sum("events" in asked.path for asked in self.memory.asked)


@pytest.mark.parametrize("busy", [0, 1, TRIES - 1])
async def test_a_busy_native_controller_keeps_nothing_from_being_told(busy: int) -> None:
    """It writes counts into the same status, some of them in every window."""
    shop = Shop(busy)
    await shop.told(shop.sight())
    assert (shop.shown(), shop.events()) == (["AwaitingApproval"], 1)


async def test_what_never_rests_is_told_later() -> None:
    """No endless loop: the next look comes in any case."""
    shop = Shop(1000)
    with pytest.raises(Conflict):
        await shop.told(shop.sight())
    assert len(shop.memory.asked) == 2 * TRIES


@pytest.mark.parametrize("record", ['{"epoch":2}', ""])
async def test_nothing_is_told_of_a_rollout_that_has_gone_on_or_ended(record: str) -> None:
    """By another leader, or for good: a condition set now would stay for ever, and `kubectl wait` would wait for it."""
    shop = Shop()
    sight = shop.sight()
    shop.record, shop.version = record, 20
    with pytest.raises(Conflict):
        await shop.told(sight)
    assert (shop.shown(), shop.events()) == ([], 0)


async def test_the_condition_of_a_newer_rollout_is_not_taken_away() -> None:
    """The end of the one before it, that was on its way for long."""
    shop = Shop()
    shop.conditions = [{"type": keys.CONDITION, "reason": "Finishing"}]
    sight = shop.sight()
    shop.version, shop.conditions = 20, [{"type": keys.CONDITION, "reason": "Gated"}]
    with pytest.raises(Conflict):
        await write(shop.memory.client(), sight, Decision(Reason.PROMOTED, "", Unmark()))
    assert shop.shown() == ["Gated"]


@pytest.mark.parametrize("decided", [Empty("web-1"), Clean("web-1"), Align("web-1", 3)])
async def test_a_replicaset_that_is_removed_meanwhile_does_not_end_the_rollout(decided: Write) -> None:
    """The native controller prunes its history just when a rollout completes, which is when we clear away the copies of
    the record there. Taken for the Deployment's own end it would leave the label on for ever."""

    async def pruned(_: Asked) -> Said:
        return refusal(404, "NotFound")

    shop, memory = Shop(), Memory(pruned)
    meta = {
        "namespace": "shop",
        "name": "web-1",
        "resourceVersion": "7",
        "annotations": dict.fromkeys(keys.COPIED, "x"),
    }
    sight = replace(shop.sight(), replicasets={"web-1": {"metadata": meta, "spec": {"replicas": 1}}})
    assert await write(memory.client(), sight, Decision(Reason.WINDOW, "", decided)) == shop.deployment
    assert [asked.path for asked in memory.asked] == [objects.replicaset("shop", "web-1")]


async def test_who_has_lost_the_lease_sends_nothing_any_more() -> None:
    """Neither condition nor Event: a process that slept does not know yet what has come after it."""
    shop = Shop()
    now = 100.0
    lease = Lease("me", lambda: now)
    lease.taken(1, 95.0)
    client = shop.memory.client().guarded(lease.vouch)
    await tell(client, shop.sight(), WAITING, "me", now=None, changed=True)
    assert (shop.shown(), shop.events()) == (["AwaitingApproval"], 1)
    now, asked = 106.0, len(shop.memory.asked)
    with pytest.raises(LeaseLost):
        await tell(client, shop.sight(), Decision(Reason.GATED, "gated"), "me", now=None, changed=True)
    assert len(shop.memory.asked) == asked
