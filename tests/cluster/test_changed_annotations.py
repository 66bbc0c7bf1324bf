"""Steps, checks and approvals are changed while a rollout runs, on the Deployment and on the Namespace.

The next decision goes by them. What cannot be read is refused when it is written, and a list of steps that has become
shorter takes no pod away.
"""

import json
from dataclasses import replace as changed
from typing import Any

import pytest

from penstock.kube import ApiError, objects
from tests.cluster.ends import restored
from tests.cluster.serving import looks
from tests.cluster.stage import Stage
from tests.cluster.workload import NAME, Workload, image
from tests.cluster.world import World

pytestmark = [pytest.mark.cluster, pytest.mark.full]

PREFIX = "penstock.dev/"
LONG = Workload(10, "25%", "25%", "2, 50%", "60s..90s")


async def held(here: World, workload: Workload = LONG, step: int = 1) -> None:
    """At a step that lasts as long as the test wants."""
    await here.start_controller()
    await here.create(workload.manifest())
    await here.release(workload, "2")
    await here.until("holding", lambda: here.holding(step))


async def note(here: World, **values: str | None) -> None:
    """Several annotations in one write."""
    notes = {PREFIX + key.replace("_", "-"): value for key, value in values.items()}
    await here.heard(await here.client.merge(here.path, {"metadata": {"annotations": notes}}))


def sizes(here: World) -> list[int]:
    """How many pods each window of version 2 was for."""
    found: list[int] = []
    for look in looks(here):
        if look.declared == image("2") and look.target and (not found or look.target != found[-1]):
            found.append(look.target)
    return found


async def more_steps(here: World) -> None:
    """A step is put in between the present one and the next."""
    await held(here)
    await note(here, steps="2, 4, 50%", step_time="1s..60s")
    await here.until_promoted("2")
    await restored(here)
    assert sizes(here) == [2, 4, 5]


async def fewer_steps(here: World) -> None:
    """The present step is not in the list any more, and those that are mean fewer pods: its pods stay."""
    await held(here, changed(LONG, step_time="1s..60s", notes={"penstock.dev/approve": "50%"}), step=2)
    await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval")
    pods = here.names("2")
    await note(here, steps="1, 3", approve="3")
    await here.silence(5)
    assert here.names("2") == pods
    await note(here, approve="never")
    await here.until_promoted("2")
    await restored(here)
    assert sizes(here) == [2, 5]
    assert set(pods) <= set(here.names("2")), "no pod of the step was ever removed"


async def asked_for(here: World) -> None:
    """An approval that nobody asked for when the step began."""
    await held(here, changed(LONG, step_time="4s..60s"))
    await note(here, approve="each")
    await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval")
    await here.silence(3)
    assert here.pods("2") == 2
    await note(here, approve="never")
    await here.until_promoted("2")
    await restored(here)
    assert sizes(here) == [2, 5]


async def checked(here: World) -> None:
    """A check that nobody asked for when the rollout began: without data it is no pass."""
    await held(here)
    await note(here, errors='http_requests_total{code=~"5.."} / http_requests_total', step_time="1s..2s")
    await here.until("held", lambda: here.condition("reason") in ("NoSeries", "NoTraffic", "NoSource", "Inconclusive"))
    await here.silence(3)
    assert here.pods("2") == 2
    await note(here, errors=None)
    await here.until_promoted("2")


async def on_failure(here: World) -> None:
    """Pause instead of rollback, said before the version fails: it is held, its pods stay."""
    await held(here)
    here.recorder.failing.add(image("2"))
    await note(here, on_failure="pause")
    await here.afflict("2", "crash-after", after="0s", back_off="300ms")
    await here.until("held", lambda: here.condition("reason") == "HeldAfterFailure")
    assert here.pods("2") == 2
    await here.ask("abort")
    await here.until_rejected()


async def by_the_namespace(here: World) -> None:
    """Defaults for all in it; read anew at most every 30 s. The Deployment's own word comes before them."""
    await here.start_controller()
    bare = changed(LONG, steps="2, 50%", step_time="3s..60s").manifest()
    await here.create(bare)
    await here.release(changed(LONG, step_time="3s..60s"), "2")
    await here.until("holding", lambda: here.holding(1))
    await annotate(here, approve="each", steps="1")
    await note(here, step_time="34s..60s")
    await here.until("asked", lambda: here.condition("reason") == "AwaitingApproval", 60)
    assert here.pods("2") == 2
    await note(here, approve="never", step_time="1s..60s")
    await here.until_promoted("2")
    await restored(here)
    assert sizes(here) == [2, 5]


async def annotate(here: World, **values: str) -> None:
    """Annotations of the Namespace."""
    notes = {PREFIX + key.replace("_", "-"): value for key, value in values.items()}
    await here.client.merge(objects.namespace(here.namespace), {"metadata": {"annotations": notes}})


BAD: dict[str, tuple[str, str]] = {
    "steps": ("50%, 20%", "steps"),
    "step-time": ("soon", "step-time"),
    "approve": ("sometimes", "approve"),
    "on-failure": ("retry", "on-failure"),
    "errors": ("rate(http_requests_total[1m])", "errors"),
    "setps": ("1", "setps"),
}


async def refused(here: World) -> None:
    """Each with its name, in a hold, on both objects; what is stored stays as it was."""
    await held(here)
    before = here.deployment["metadata"]["annotations"]
    for key, (value, name) in BAD.items():
        body: dict[str, Any] = {"metadata": {"annotations": {PREFIX + key: value}}}
        for path in (here.path, objects.namespace(here.namespace)):
            with pytest.raises(ApiError, match=f"annotation penstock.dev/{name}"):
                await here.client.merge(path, body)
    answer = await here.kubectl("annotate", "deployment", NAME, "penstock.dev/steps=half", "--overwrite")
    assert answer.code != 0
    assert "annotation penstock.dev/steps" in answer.err
    await here.catch_up()
    assert json.dumps(here.deployment["metadata"]["annotations"]) == json.dumps(before)
    await here.hurry()
    await here.until_promoted("2")
    await restored(here)


async def test_changed_annotations_count_from_the_next_decision_on(stage: Stage) -> None:
    """A plan may be corrected while it is carried out."""
    await stage.play(
        {
            "a step more": more_steps,
            "fewer steps": fewer_steps,
            "an approval": asked_for,
            "a check": checked,
            "on-failure": on_failure,
            "on the Namespace": by_the_namespace,
            "invalid": refused,
        }
    )
