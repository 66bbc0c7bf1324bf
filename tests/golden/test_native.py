"""The model that the fast tests stand on does what a real kube-controller-manager did.

After a change of scenarios, or of Kubernetes: `make golden`, then read the diff.
"""

from dataclasses import replace

import pytest

from tests.golden.replay import Replay
from tests.golden.scenarios import SCENARIOS
from tests.golden.trace import TRACES, Entry, file, load


def test_every_scenario_has_been_recorded_as_it_is_now() -> None:
    """A scenario changed since would be compared with another one's trace."""
    recorded = {load(path).name: [e.act for e in load(path).entries] for path in TRACES.glob("*.yaml")}
    assert recorded == {s.name: list(s.acts) for s in SCENARIOS}


@pytest.mark.parametrize("name", [s.name for s in SCENARIOS])
def test_the_model_moves_as_the_native_controller_did(name: str) -> None:
    """Every ReplicaSet size that was written, in its order, and the whole state at each rest."""
    trace = load(file(name))
    assert [comparable(e) for e in Replay(trace).entries()] == [comparable(e) for e in trace.entries]


def comparable(entry: Entry) -> Entry:
    """Without what chance decides: how pods that become Ready together are counted, one by one or some at once."""
    if "together" not in entry.act:
        return entry
    return replace(entry, moves=tuple(sorted({move.split()[0] for move in entry.moves})))
