"""The protocol of a rotation, over years and over accidents, in a model of caches that lag."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from certs import authority, bundle, protocol
from certs.protocol import Action, Held, State, Step
from tests.certs.moments import NAMES, NOW, days, held, leaf_of
from tests.certs.world import World

SETTLED = 240.0
"""Seconds after which every cache knows of the last change."""

TICK = 40.0

DAY = 86400.0


def settle(world: World, seconds: float = SETTLED) -> list[str]:
    """Let the authority work for a while; the calls that failed on the way."""
    failed, end = [], world.time + seconds
    while world.time < end:
        while world.step().action is not Action.REST:
            world.sleep(0)
            failed += world.failing()
        world.sleep(TICK)
        failed += world.failing()
    return failed


def live(world: World, seconds: float) -> list[str]:
    """Long stretches of nothing, and close attention whenever something happens."""
    failed, end = [], world.time + seconds
    while world.time < end:
        before = len(world.actions)
        step = world.step()
        if len(world.actions) > before:
            failed += settle(world)
        else:
            world.sleep(min(max(step.wait, 1.0), DAY))
            failed += world.failing()
    return failed


def test_a_first_installation_is_three_steps_without_a_wait() -> None:
    """Nobody trusts anything yet, so there is nothing to wait for: it takes as long as its writes."""
    world = World()
    steps = [world.step() for _ in range(4)]
    assert world.actions == [Action.PUBLISH, Action.TRUST, Action.ISSUE]
    assert steps[-1].reason == "all is as it should be"
    assert 0.6 * 30 < steps[-1].wait / DAY < 20
    settle(world)
    assert world.failing() == []


@settings(max_examples=3, deadline=None)
@given(
    lags=st.tuples(st.floats(0, 100), st.floats(0, 100)),
    delays=st.tuples(st.floats(0, 100), st.floats(0, 100)),
    crashes=st.lists(st.booleans(), max_size=60),
)
@pytest.mark.slow
def test_no_call_is_lost_in_two_years_of_rotations(
    lags: tuple[float, float], delays: tuple[float, float], crashes: list[bool]
) -> None:
    """Whatever lags behind by less than the wait, and wherever the authority dies between two writes."""
    world = World(lags=lags, delays=delays)
    settle(world)
    assert world.failing() == []
    world.crashes = iter(crashes)
    assert live(world, 2 * 365 * DAY) == []
    done = {action: world.actions.count(action) for action in (Action.PUBLISH, Action.ISSUE)}
    assert done[Action.PUBLISH] >= 3
    assert done[Action.ISSUE] >= 2 * 365 / 20
    assert len(world.held.bundle) <= 2


def test_without_the_wait_calls_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The model can fail: a switch before every API server trusts the new CA is what it finds."""
    monkeypatch.setattr(protocol, "TRUST_WAIT", 0.0)
    monkeypatch.setattr(protocol.plan, "__defaults__", (0.0,))
    world = World(lags=(0.0, 90.0), delays=(0.0, 0.0))
    settle(world)
    assert live(world, 300 * DAY) != []


def test_a_rotation_goes_publish_trust_wait_issue_and_much_later_drop() -> None:
    """The order is the protocol; each step is seen finished before the next one."""
    world = World()
    settle(world)
    first = world.held.bundle[0]
    live(world, 200 * DAY)
    world.actions.clear()
    while Action.DROP not in world.actions:
        live(world, DAY)
    begun = world.actions.index(Action.PUBLISH)
    assert world.actions[begun:] == [Action.PUBLISH, Action.TRUST, Action.ISSUE, Action.DROP]
    assert first not in world.held.bundle
    assert set(world.configurations) == {bundle.text(world.held.bundle)}


@pytest.mark.slow
def test_a_replica_that_serves_the_former_certificate_keeps_its_ca_trusted() -> None:
    """It may be cut off from the API server for weeks and still get calls."""
    world = World(delays=(0.0, 1e9))
    world.leaves[1] = None
    settle(world)
    world.leaves[1] = world.held.leaf  # learns nothing from now on
    while world.actions.count(Action.PUBLISH) < 2:
        live(world, DAY)
    live(world, 3 * DAY)
    assert Action.DROP not in world.actions
    assert len(world.held.bundle) == 2


def generations() -> tuple[Held, Held]:
    """The state before and after a whole rotation."""
    old, new = held(NOW - days(1)), held(NOW)
    return old, new


@pytest.mark.parametrize("replica", ["old", "new"])
@pytest.mark.parametrize("configuration", ["old", "new", "empty"])
@pytest.mark.parametrize("secret", ["old", "new", "missing"])
def test_every_mixture_of_times_heals_within_three_minutes(secret: str, configuration: str, replica: str) -> None:
    """A lost Secret, a restored etcd, a re-applied manifest, replicas that remember: no person has to act."""
    old, new = generations()
    states = {"old": old, "new": new, "missing": Held()}
    pems = {"old": bundle.text(old.bundle), "new": bundle.text(new.bundle), "empty": b""}
    leaf = leaf_of(states[replica])
    world = World(states[secret], [pems[configuration]] * 2, [leaf, leaf], lags=(0.0, 5.0), delays=(0.0, 5.0))
    failed = settle(world, 180)
    settle(world, 10)
    assert world.failing() == []
    assert len(world.held.bundle) <= bundle.LONGEST
    if secret == "missing" and configuration == replica:  # what is served in memory is trusted: not one call is lost
        assert failed == []


def state(content: Held, trusted: Iterable[x509.Certificate] | None = None) -> State:
    """A look at which all webhooks trust the same."""
    return State(content, (bundle.text(content.bundle if trusted is None else trusted),), NAMES, 1e9)


def asked(seen: State, now: timedelta = timedelta()) -> tuple[Action, str]:
    step: Step = protocol.plan(seen, NOW + now)
    return step.action, step.reason


def test_each_trouble_has_its_answer_and_its_words() -> None:
    """What the log says when certificates change; people read it when calls fail."""
    good = held()
    other = authority.new_ca(NOW)
    stranger = x509.load_pem_x509_certificate(bundle.text([leaf_of(held()).certificate]))
    foreign = State(good, (bundle.text([*good.bundle, stranger]), bundle.text(good.bundle)), NAMES)
    many = tuple(authority.new_ca(NOW - timedelta(hours=n)).certificate for n in (4, 3, 2, 1))
    found = {
        "all is well": asked(state(good)),
        "the key is lost": asked(state(replace(good, key=None))),
        "the CA has expired": asked(state(held(NOW - days(366)))),
        "the bundle is lost": asked(state(replace(good, bundle=()))),
        "the certificate is lost": asked(state(replace(good, leaf=None))),
        "the certificate is another's": asked(state(replace(good, leaf=held().leaf))),
        "the certificate has expired": asked(state(good), days(31)),
        "it is due": asked(state(good), days(20.1)),
        "the CA is due": asked(state(replace(good, leaf=None)), days(250)),
        "other names": asked(replace(state(good), names=("a.svc", "127.0.0.1"))),
        "a stranger is trusted": asked(foreign),
        "one of ours is trusted": asked(state(good, (*good.bundle, other.certificate))),
        "too many of ours are trusted": asked(state(good, many)),
    }
    assert found == {
        "all is well": (Action.REST, "all is as it should be"),
        "the key is lost": (Action.PUBLISH, "there is no authority that could sign"),
        "the CA has expired": (Action.PUBLISH, "there is no authority that could sign"),
        "the bundle is lost": (Action.PUBLISH, "there is no authority that could sign"),
        "the certificate is lost": (Action.ISSUE, "there is no certificate"),
        "the certificate is another's": (Action.ISSUE, "the certificate is of a former authority"),
        "the certificate has expired": (Action.ISSUE, "the certificate is not valid now"),
        "it is due": (Action.ISSUE, "two thirds of the certificate's life are over"),
        "the CA is due": (Action.ISSUE, "there is no certificate"),
        "other names": (Action.ISSUE, "the certificate is not for a.svc"),
        "a stranger is trusted": (Action.TRUST, "1 of 2 webhooks do not trust the bundle"),
        "one of ours is trusted": (Action.TIDY, "the bundle is not what is valid and trusted"),
        "too many of ours are trusted": (Action.TIDY, "the bundle is not what is valid and trusted"),
    }
    tidy = protocol.plan(state(good, many), NOW)
    assert tidy.bundle == bundle.ordered([*good.bundle, *many[2:]])
