"""A forecast must come true: it is compared with the rollout that it forecasts."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.cli.forecast import Forecast, forecast
from penstock.cli.manifest import defaulted
from penstock.core import keys
from penstock.core.rollout import Phase
from tests.cli.play import Play

STRATEGIES = ((1, 0), (0, 1), (3, 2), ("25%", "25%"), ("50%", 0), ("100%", 0), ("10%", "10%"))
STEPS = ("1", "1, 2, 4", "10%, 25%, 50%", "25%, 100%", "3, 50%")
HOME = {"metadata": {"name": "shop", "labels": {keys.ENABLED: "true"}}}


def forecast_of(play: Play) -> Forecast:
    return forecast(defaulted(play.cluster.server.obj), HOME)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from((1, 2, 3, 4, 7, 10, 20)), st.sampled_from(STRATEGIES), st.sampled_from(STEPS))
def test_the_controller_opens_exactly_the_windows_that_were_forecast(
    replicas: int, strategy: tuple[int | str, int | str], steps: str
) -> None:
    """A person approves a change because of these numbers."""
    surge, unavailable = strategy
    play = Play(replicas, {"maxSurge": surge, "maxUnavailable": unavailable}, steps=steps, step_time="1s")
    before = forecast_of(play)
    play.release()
    opened: list[tuple[int, int, dict[str, int]]] = []
    while play.record is not None:
        decision = play.turn()
        record = play.record
        if record and record.phase is Phase.OPENING and (record.step, record.target) not in [o[:2] for o in opened]:
            opened.append((record.step, record.target, play.cluster.sizes()))
        play.cluster.ready()
        play.cluster.now += decision.wait if decision.write is None else 0
    wanted = [(i, w.target) for i, stage in enumerate(before.stages, 1) for w in stage.windows]
    assert [o[:2] for o in opened] == wanted
    held = {step: sizes for step, _, sizes in opened}
    for step, stage in enumerate(before.stages, 1):
        sizes = {"v2": stage.exposure.pods, "v1": stage.old(replicas)}
        assert held[step] == {version: pods for version, pods in sizes.items() if pods}


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 60), st.sampled_from(STRATEGIES), st.sampled_from(STEPS))
def test_no_forecast_promises_what_the_invariants_forbid(
    replicas: int, strategy: tuple[int | str, int | str], steps: str
) -> None:
    """I1 to I3, for sizes at which nobody plays a rollout."""
    obj = manifest(replicas, strategy, steps)
    f = forecast(defaulted(obj), HOME)
    available = 0
    for stage in f.stages:
        for window in stage.windows:
            assert window.surge <= f.limits.surge
            assert replicas - window.unavailable + available >= replicas - f.limits.unavailable
            assert available < window.target <= stage.exposure.pods
            available = window.target
        assert available == stage.exposure.pods


def manifest(replicas: int, strategy: tuple[int | str, int | str], steps: str) -> dict[str, object]:
    rolling = {"maxSurge": strategy[0], "maxUnavailable": strategy[1]}
    template = {"spec": {"containers": [{"name": "web", "image": "web:1"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "annotations": {keys.STEPS: steps}},
        "spec": {"replicas": replicas, "strategy": {"rollingUpdate": rolling}, "template": template},
    }


@pytest.mark.parametrize(
    ("own", "home", "expected"),
    [
        (None, None, None),
        (None, "true", True),
        (None, "false", False),
        (None, "", False),
        ("true", None, True),
        ("true", "false", True),
        ("false", "true", False),
    ],
)
def test_a_label_of_its_own_overrides_that_of_the_namespace(
    own: str | None, home: str | None, expected: bool | None
) -> None:
    """As in the webhook's selectors; None: the Namespace is not known."""
    obj = manifest(3, (1, 0), "1")
    if own:
        obj["metadata"] = {"name": "web", "namespace": "shop", "labels": {keys.ENABLED: own}}
    labels = {keys.ENABLED: home} if home else {}
    namespace = None if home is None else {"metadata": {"name": "shop", "labels": labels}}
    assert forecast(defaulted(obj), namespace).opted_in is expected
