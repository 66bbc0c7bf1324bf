"""Two processes never do the work at the same time, whatever the API server does; and one always comes to do it."""

import asyncio
import contextlib
import itertools
import logging
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from penstock.kube import Denied, Lease, LeaseLost, hold, objects
from penstock.kube.seat import DEADLINE, DURATION, RETRY
from tests.kube.memory import Asked, Memory, Said, Store, never, refusal, refused

pytestmark = [pytest.mark.looptime, pytest.mark.asyncio]

NAMESPACE, NAME = "penstock-system", "penstock-controller"
PATH = objects.lease(NAMESPACE, NAME)
WALL = 1_795_600_000.0
SOON = 1.2 * RETRY + 0.001
"""A free lease is taken within so many seconds."""


def now() -> float:
    return asyncio.get_running_loop().time()


class Replica:
    """One process with its own way to the API server, which a test can break."""

    def __init__(self, store: Store, identity: str, pace: float = 1.0, wall: float = WALL) -> None:
        self.identity = identity
        self.memory = Memory(self._respond)
        self.fault = "none"
        self.leases: list[Lease] = []
        self.terms: list[tuple[float, float]] = []
        self.ending = 0.0
        self._store = store
        self._pace = pace
        self._wall = wall
        self.jump = 0.0

    async def _respond(self, asked: Asked) -> Said:
        if self.fault == "refuse":
            raise refused()
        if self.fault == "hang":
            await never()
        if self.fault == "slow":
            await asyncio.sleep(3.9)
        if self.fault == "conflict" and asked.method == "PATCH":
            return refusal(409, "Conflict")
        if self.fault == "deny":
            return refusal(403, "Forbidden")
        if self.fault == "fail":
            return refusal(500, "InternalError")
        answer = self._store.serve(asked)
        if self.fault == "lose" and asked.method != "GET":
            await never()
        if self.fault == "late":
            await asyncio.sleep(3.5)
        return answer

    def clock(self) -> float:
        return now() * self._pace + self.jump

    async def work(self, lease: Lease) -> None:
        """Works until cancelled, and then for `ending` seconds more."""
        self.leases.append(lease)
        begun = now()
        try:
            await never()
        finally:
            if self.ending:
                await asyncio.sleep(self.ending)
            self.terms.append((begun, now()))

    async def hold(self, work: Callable[[Lease], Awaitable[None]] | None = None) -> None:
        client = self.memory.client()
        await hold(
            client, NAMESPACE, NAME, self.identity, work or self.work, clock=self.clock, wall=lambda: self._wall + now()
        )

    @property
    def working(self) -> bool:
        return len(self.leases) > len(self.terms)


@contextlib.asynccontextmanager
async def running(*replicas: Replica) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = []
    for replica in replicas:
        tasks.append(asyncio.create_task(replica.hold()))
        await asyncio.sleep(0.01)
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        for task in tasks:
            if not task.cancelled():
                task.exception()


def spec(store: Store) -> dict[str, object]:
    found: dict[str, object] = store.objects[PATH]["spec"]
    return found


async def test_the_first_replica_creates_the_lease_and_works() -> None:
    """The official elector could never create one."""
    store = Store()
    a = Replica(store, "a")
    async with running(a):
        await asyncio.sleep(1)
        assert a.working
        assert spec(store) == {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "leaseTransitions": a.leases[0].transitions,
            "acquireTime": "2026-11-25T09:46:40.000000Z",
            "renewTime": "2026-11-25T09:46:40.000000Z",
        }


async def test_a_standby_waits_and_asks_once_per_two_seconds() -> None:
    """A standby costs little, and a holder no more: at rest the lease is all the traffic there is."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b):
        await asyncio.sleep(600)
        assert (a.working, b.working) == (True, False)
        assert len(a.memory.asked) == 302  # a look, the creation, 300 renewals
        assert set(b.memory.whats()) == {"GET"}
        assert 250 <= len(b.memory.asked) <= 300


@pytest.mark.parametrize("fault", ["refuse", "hang", "lose", "deny", "fail"])
async def test_a_cut_off_holder_stops_before_another_begins(fault: str) -> None:
    """The promise of the lease. `lose` is the meanest fault: renewals are written, but no answer ever comes."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b) as (task, _):
        await asyncio.sleep(20.5)
        last = now() - 0.5
        a.fault = fault
        await asyncio.sleep(60)
        assert isinstance(task.exception(), LeaseLost)
        (_, ended), begun = a.terms[0], b.memory.asked[-1].at
        assert ended - last <= DEADLINE + 0.1
        assert b.working
        begun = next(asked.at for asked in b.memory.asked if asked.method == "PATCH")
        assert ended < begun <= ended + DURATION + SOON
        assert b.leases[0].transitions == a.leases[0].transitions + 1


async def test_a_slow_api_server_does_not_cost_the_lease() -> None:
    """Every request takes 3.9 s: overload must not make the holder change, that would add to it."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b):
        await asyncio.sleep(5)
        a.fault = b.fault = "slow"
        await asyncio.sleep(600)
        assert (a.working, a.terms, b.leases) == (True, [], [])


@pytest.mark.parametrize(
    ("fault", "seconds"),
    [("refuse", 1), ("refuse", 9), ("fail", 9), ("hang", 1), ("hang", 5), ("lose", 1), ("lose", 5)],
)
async def test_a_short_outage_does_not_cost_the_lease(fault: str, seconds: int) -> None:
    """Renewals are tried again until the deadline, also when one was written and its answer lost."""
    store = Store()
    a = Replica(store, "a")
    async with running(a):
        await asyncio.sleep(20.5)
        a.fault = fault
        await asyncio.sleep(seconds)
        a.fault = "none"
        await asyncio.sleep(60)
        assert (a.working, a.terms, len(a.leases)) == (True, [], 1)
        assert a.leases[0].fresh()


async def test_the_age_counts_from_sending() -> None:
    """The server had the renewal 3.5 s before we knew: counted from the answer we would overstay by that."""
    store = Store()
    a = Replica(store, "a")
    async with running(a):
        await asyncio.sleep(3)
        a.fault = "late"
        await asyncio.sleep(5)  # sent at 4, answered at 7.5
        assert a.leases[0].age() == pytest.approx(4, abs=0.1)


async def test_conflicts_without_end_are_bounded_and_end_in_loss() -> None:
    """The lease says it is ours and still refuses each renewal: no hot loop, and no overstaying."""
    store = Store()
    a = Replica(store, "a")
    async with running(a) as (task,):
        await asyncio.sleep(5)
        a.fault, asked = "conflict", len(a.memory.asked)
        await asyncio.sleep(12)
        assert isinstance(task.exception(), LeaseLost)
        assert len(a.memory.asked) - asked <= 100


@pytest.mark.parametrize("stored", [None, {"spec": {"holderIdentity": "", "leaseTransitions": 7}}])
async def test_of_two_candidates_that_see_a_free_lease_one_wins(stored: dict[str, object] | None) -> None:
    """Both looked before either wrote: the second creation is a conflict, the second patch fails its test."""
    store = Store()
    if stored is not None:
        store.put(PATH, stored)
    a, b = Replica(store, "a"), Replica(store, "b")
    gate = asyncio.Barrier(2)

    def together(serve: Callable[[Asked], Awaitable[Said]]) -> Callable[[Asked], Awaitable[Said]]:
        async def respond(asked: Asked) -> Said:
            answer = await serve(asked)
            if asked.method == "GET" and not (a.leases or b.leases):
                await gate.wait()
            return answer

        return respond

    for replica in (a, b):
        replica.memory.respond = together(replica.memory.respond)
    async with running(a, b):
        await asyncio.sleep(30)
        assert sorted([a.working, b.working]) == [False, True]
        assert len(a.leases + b.leases) == 1


async def test_crashed_work_comes_out_and_the_lease_is_released() -> None:
    """A holder whose work is dead would go on renewing, and nobody would do the work."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")

    async def crash(lease: Lease) -> None:
        await asyncio.sleep(5)
        raise ZeroDivisionError

    b.fault = "refuse"
    async with running(b):
        with pytest.raises(ZeroDivisionError):
            await a.hold(crash)
        assert spec(store)["holderIdentity"] == ""
        b.fault, begun = "none", now()
        await asyncio.sleep(SOON)
        assert b.working
        assert now() - begun <= SOON + 0.1


async def test_finished_work_returns_and_releases() -> None:
    """Work that ends by itself is no error."""
    store = Store()
    a = Replica(store, "a")

    async def short(lease: Lease) -> None:
        await asyncio.sleep(3)

    await a.hold(short)
    assert spec(store)["holderIdentity"] == ""
    assert [asked.method for asked in a.memory.asked] == ["GET", "POST", "PATCH", "PATCH"]


async def test_cancellation_lets_a_write_end_and_then_releases() -> None:
    """On SIGTERM a write in flight ends under a lease that is still renewed, however long it takes."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    a.ending = 40.0
    async with running(a, b) as (task, _):
        await asyncio.sleep(10)
        task.cancel()
        await asyncio.sleep(39.9)
        assert (a.working, b.working, a.leases[0].fresh()) == (True, False, True)
        await asyncio.sleep(0.2 + SOON)
        assert (a.working, b.working, task.cancelled()) == (False, True, True)


async def test_a_release_after_a_cancelled_renewal_still_works() -> None:
    """The renewal was written although nobody waited for its answer, so the version we know is old."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b) as (task, _):
        await asyncio.sleep(3)
        a.fault = "lose"
        await asyncio.sleep(2)
        a.fault = "none"
        task.cancel()
        await asyncio.sleep(SOON)
        assert b.working


async def test_a_failed_release_only_costs_time() -> None:
    """The API server is away while we end: the process ends all the same, and the lease expires by itself."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b) as (task, _):
        await asyncio.sleep(5)
        a.fault = "hang"
        task.cancel()
        await asyncio.sleep(4.1)
        assert (task.cancelled(), b.working) == (True, False)
        await asyncio.sleep(DURATION + SOON)
        assert b.working


async def test_work_that_does_not_stop_cannot_keep_hold_from_raising() -> None:
    """Python cannot kill a task; the caller must learn that the lease is gone, so that it ends the process."""
    store = Store()
    a = Replica(store, "a")
    a.ending = 3600.0
    async with running(a) as (task,):
        await asyncio.sleep(4.5)
        a.fault = "refuse"
        await asyncio.sleep(DURATION)
        assert isinstance(task.exception(), LeaseLost)
        assert a.working
        assert not a.leases[0].fresh()


async def test_a_stolen_lease_is_noticed_at_the_next_renewal() -> None:
    """Somebody edits the holder: fields of the object decide, not what we remember."""
    store = Store()
    a = Replica(store, "a")
    async with running(a) as (task,):
        await asyncio.sleep(5)
        taken = spec(store) | {"holderIdentity": "thief"}
        store.put(PATH, store.objects[PATH] | {"spec": taken})
        await asyncio.sleep(SOON)
        assert isinstance(task.exception(), LeaseLost)
        assert spec(store) == taken


async def test_a_label_on_the_lease_is_no_loss() -> None:
    """A foreign write changes the version and makes our test fail; the holder is still us."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b):
        for _ in range(30):
            await asyncio.sleep(1.7)
            kept = store.objects[PATH]
            store.put(PATH, kept | {"metadata": kept["metadata"] | {"labels": {"at": str(now())}}})
        await asyncio.sleep(30)
        assert (a.working, a.terms, b.leases) == (True, [], [])
        assert "labels" in store.objects[PATH]["metadata"]


async def test_labels_do_not_keep_a_dead_holder_alive() -> None:
    """Only a renewal counts as a sign of life."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b):
        await asyncio.sleep(5)
        a.fault = "hang"
        for _ in range(6):
            await asyncio.sleep(3)
            kept = store.objects[PATH]
            store.put(PATH, kept | {"metadata": kept["metadata"] | {"labels": {"at": str(now())}}})
        assert b.working


async def test_a_label_just_before_the_end_does_not_prevent_the_release() -> None:
    """The version we know is old; the lease is still ours."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a, b) as (task, _):
        await asyncio.sleep(5)
        kept = store.objects[PATH]
        store.put(PATH, kept | {"metadata": kept["metadata"] | {"labels": {"a": "b"}}})
        task.cancel()
        await asyncio.sleep(SOON)
        assert b.working


async def test_a_deleted_lease_is_put_back_by_its_holder() -> None:
    """Same holder, same transition: nothing changed hands. If it cannot, who saw it alive waits for its term to end."""
    store = Store()
    a, b = Replica(store, "a"), Replica(store, "b")
    async with running(a):
        await asyncio.sleep(5)
        del store.objects[PATH]
        await asyncio.sleep(SOON)
        assert (a.working, a.terms) == (True, [])
        assert spec(store)["leaseTransitions"] == a.leases[0].transitions
        async with running(b):
            await asyncio.sleep(60)
            a.fault = "hang"
            del store.objects[PATH]
            await asyncio.sleep(60)
            assert b.working
            assert b.leases[0].transitions > a.leases[0].transitions
        assert a.terms[0][1] < b.terms[0][0]


async def test_transitions_grow_even_over_a_deleted_lease() -> None:
    """Records name the transition of their leader: after a new installation a new one must not look older."""
    store = Store()
    seen = []
    for identity in ("a", "b", "a", "a", "c"):
        replica = Replica(store, identity)
        async with running(replica):
            await asyncio.sleep(10)
            seen.append(replica.leases[0].transitions)
        if identity == "b":
            del store.objects[PATH]
        await asyncio.sleep(1)
    assert all(later > earlier for earlier, later in itertools.pairwise(seen))


async def test_a_restarted_process_takes_its_own_lease_at_once() -> None:
    """After a crash the container restarts under the same name; it need not wait for itself. Would the old one still
    live, it would notice by the transition."""
    store = Store()
    a, again = Replica(store, "a"), Replica(store, "a")
    async with running(a, again) as (task, _):
        await asyncio.sleep(SOON)
        assert isinstance(task.exception(), LeaseLost)
        assert again.working
        assert again.leases[0].transitions == a.leases[0].transitions + 1


async def test_wall_clocks_do_not_matter() -> None:
    """The holder's clock is three hours behind, the candidate's three hours ahead; nobody loses anything."""
    store = Store()
    a, b = Replica(store, "a", wall=WALL - 3 * 3600), Replica(store, "b", wall=WALL + 3 * 3600)
    async with running(a, b):
        await asyncio.sleep(600)
        assert (a.working, a.terms, b.leases) == (True, [], [])


async def test_a_longer_stored_duration_is_respected() -> None:
    """The holder said for how long it may act; our own setting is about our own terms."""
    store = Store()
    renewed = objects.rfc3339(WALL)
    other = {"holderIdentity": "other", "leaseDurationSeconds": 60, "renewTime": renewed, "leaseTransitions": 3}
    store.put(PATH, {"metadata": {}, "spec": other})
    a = Replica(store, "a")
    async with running(a):
        await asyncio.sleep(59)
        assert a.leases == []
        await asyncio.sleep(1 + SOON)
        assert a.leases[0].transitions == 4


@pytest.mark.parametrize("body", [{}, {"spec": None}, {"spec": {}}, {"spec": {"holderIdentity": None}}])
async def test_an_empty_lease_is_free(body: dict[str, object]) -> None:
    """Made by hand or by a manifest in the deploy directory."""
    store = Store()
    store.put(PATH, {"metadata": {"labels": {"keep": "me"}}, **body})
    a = Replica(store, "a")
    async with running(a):
        await asyncio.sleep(1)
        assert a.leases[0].transitions == 1
        assert store.objects[PATH]["metadata"]["labels"] == {"keep": "me"}


async def test_a_machine_that_slept_is_not_fresh() -> None:
    """The loop's clock stands still in a suspended machine, so the age is taken from one that does not."""
    store = Store()
    a = Replica(store, "a")
    async with running(a) as (task,):
        await asyncio.sleep(5)
        assert a.leases[0].fresh()
        a.jump, asked = 60.0, len(a.memory.asked)
        assert not a.leases[0].fresh()
        await asyncio.sleep(SOON)
        assert isinstance(task.exception(), LeaseLost)
        assert len(a.memory.asked) == asked


async def test_no_permission_is_said_aloud_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    """A missing Role is found in the log, and mending it needs no restart."""
    store = Store()
    a = Replica(store, "a")
    a.fault = "deny"
    async with running(a):
        await asyncio.sleep(30)
        a.fault = "none"
        await asyncio.sleep(SOON)
        assert a.working
    warned = [record.message for record in caplog.records if record.levelno == logging.WARNING]
    assert warned[0] == f"cannot get the lease: get {PATH}: Forbidden (403 Forbidden)"
    assert issubclass(Denied, Exception)


@pytest.mark.parametrize("seed", range(2))
async def test_no_two_terms_overlap_under_random_faults(seed: int) -> None:
    """Three replicas, clocks five per cent fast and slow, faults at random for half an hour; each ends and starts anew
    when it loses. Terms never overlap, transitions always grow, and somebody works most of the time."""
    chance = random.Random(seed)
    store = Store()
    replicas = [Replica(store, name, pace) for name, pace in (("a", 0.95), ("b", 1.0), ("c", 1.05))]

    async def process(replica: Replica) -> None:
        while True:
            with contextlib.suppress(LeaseLost):
                await replica.hold()
            await asyncio.sleep(chance.uniform(0, 5))

    async def trouble() -> None:
        while True:
            await asyncio.sleep(chance.uniform(0, 40))
            replica = chance.choice(replicas)
            replica.fault = chance.choice(["none", "none", "none", "refuse", "hang", "lose", "slow", "fail"])
            replica.ending = chance.choice([0.0, 3.0])

    tasks = [asyncio.create_task(process(replica)) for replica in replicas]
    tasks.append(asyncio.create_task(trouble()))
    await asyncio.sleep(1800)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    terms = sorted(term for replica in replicas for term in replica.terms)
    assert all(ended <= begun for (_, ended), (begun, _) in itertools.pairwise(terms))
    assert len(terms) > 5
    assert sum(ended - begun for begun, ended in terms) > 1800 * 0.4
    transitions = [
        (begun, lease.transitions)
        for replica in replicas
        for (begun, _), lease in zip(replica.terms, replica.leases, strict=False)
    ]
    ordered = [transition for _, transition in sorted(transitions)]
    assert all(later > earlier for earlier, later in itertools.pairwise(ordered))
