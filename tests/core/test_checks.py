"""Each pod check with its verdict and its sentence, and what is never the release's fault."""

from typing import Any

import pytest

from penstock.core.checks import CHECKS, Finding, Severity, findings
from penstock.core.decide import situation
from penstock.core.fields import Fields
from penstock.core.observation import Pod
from penstock.core.reasons import Reason
from tests.core.seen import observation, pod, pods, replicaset, seen_pods
from tests.core.shop import NOW, record

FAIL, EXTEND, WAIT = Severity.FAIL, Severity.EXTEND, Severity.WAIT
ONE = "pod web-v2-0 of the new version "
THREE = "pod web-v2-0 and 2 more of the new version "
STARTING: dict[str, Any] = {"ready": False, "ready_since": 0.0, "created": NOW - 20}

VERDICTS = [
    ("a healthy pod", pods("v2", 3), None),
    ("no pod yet", (), None),
    (
        "crash loop",
        pods("v2", 3, waiting=("CrashLoopBackOff",)),
        Finding(FAIL, Reason.CRASH_LOOP, THREE + "crash-loops"),
    ),
    (
        "bad configuration",
        pods("v2", 1, waiting=("CreateContainerConfigError",)),
        Finding(FAIL, Reason.CANNOT_START, ONE + "cannot start (CreateContainerConfigError)"),
    ),
    (
        "two faults of the start",
        (pod(1, waiting=("RunContainerError",)), pod(0, waiting=("InvalidImageName",))),
        Finding(
            FAIL,
            Reason.CANNOT_START,
            "pod web-v2-0 and 1 more of the new version cannot start (InvalidImageName, RunContainerError)",
        ),
    ),
    (
        "second try to pull failed",
        pods("v2", 1, waiting=("ImagePullBackOff",)),
        Finding(FAIL, Reason.IMAGE_PULL, ONE + "cannot pull its image"),
    ),
    (
        "first try to pull failed",
        pods("v2", 1, waiting=("ErrImagePull",)),
        Finding(EXTEND, Reason.IMAGE_PULL, ONE + "could not pull its image at the first try"),
    ),
    (
        "the image is named",
        (pod(1, waiting=("ImagePullBackOff",), image="b"), pod(0, waiting=("ImagePullBackOff",), image="shop/web:2")),
        Finding(
            FAIL,
            Reason.IMAGE_PULL,
            "pod web-v2-0 and 1 more of the new version cannot pull its image shop/web:2",
        ),
    ),
    (
        "never to be pulled",
        pods("v2", 1, waiting=("ErrImageNeverPull",), image="web:2"),
        Finding(
            FAIL,
            Reason.IMAGE_PULL,
            ONE + "cannot start: its image web:2 is not on its node, and imagePullPolicy is Never",
        ),
    ),
    (
        "memory",
        pods("v2", 1, restarts=1, exit_code=137, out_of_memory=True),
        Finding(FAIL, Reason.OUT_OF_MEMORY, ONE + "was killed for using more memory than its limit"),
    ),
    (
        "one crash",
        pods("v2", 1, restarts=1, exit_code=3),
        Finding(EXTEND, Reason.CRASHED, ONE + "crashed once (exit code 3)"),
    ),
    (
        "two crashes of one pod",
        pods("v2", 1, restarts=2, exit_code=3),
        Finding(FAIL, Reason.CRASHED, ONE + "crashed 2 times (exit code 3)"),
    ),
    (
        "one crash of each of three",
        pods("v2", 3, restarts=1, exit_code=3),
        Finding(FAIL, Reason.CRASHED, THREE + "crashed once (exit code 3)"),
    ),
    ("a restart after exit code 0", pods("v2", 1, restarts=4), None),
    (
        "one loss of readiness",
        pods("v2", 2, flaps=1),
        Finding(EXTEND, Reason.UNREADY, ONE + "lost readiness once"),
    ),
    (
        "readiness comes and goes",
        (pod(0, flaps=1), pod(1, flaps=3)),
        Finding(FAIL, Reason.UNREADY, "pod web-v2-1 of the new version lost readiness 3 times"),
    ),
    (
        "never Ready",
        pods("v2", 1, **STARTING | {"created": NOW - 601}),
        Finding(FAIL, Reason.NEVER_READY, ONE + "was not Ready within 600 s"),
    ),
    ("not Ready yet", pods("v2", 1, **STARTING | {"created": NOW - 600}), None),
    (
        "not Ready any more, for long",
        pods("v2", 1, ready=False, ready_since=NOW - 601, created=NOW - 5000),
        Finding(FAIL, Reason.NEVER_READY, ONE + "was not Ready within 600 s"),
    ),
    ("not Ready any more, for a moment", pods("v2", 1, ready=False, ready_since=NOW - 5, created=NOW - 5000), None),
    (
        "evicted",
        pods("v2", 1, ready=False, restarts=2, exit_code=137, flaps=4, outside="Evicted", created=NOW - 5000),
        Finding(WAIT, Reason.NOT_THE_RELEASE, "pod web-v2-0: Evicted; that is not the release's fault"),
    ),
    (
        "no room",
        pods("v2", 1, scheduled=False, **STARTING | {"created": NOW - 5000}),
        Finding(
            WAIT,
            Reason.NOT_THE_RELEASE,
            "pod web-v2-0: no node has room for it; that is not the release's fault",
        ),
    ),
    (
        "evicted for good, and not replaced yet",
        pods("v2", 1, ready=False, outside="Evicted", finished=True),
        Finding(WAIT, Reason.NOT_THE_RELEASE, "pod web-v2-0: Evicted; that is not the release's fault"),
    ),
    (
        "a node was found at last",
        pods("v2", 1, **STARTING | {"created": NOW - 5000, "placed": NOW - 600}),
        None,
    ),
    (
        "never Ready on the node that was found",
        pods("v2", 1, **STARTING | {"created": NOW - 5000, "placed": NOW - 601}),
        Finding(FAIL, Reason.NEVER_READY, ONE + "was not Ready within 600 s"),
    ),
    (
        "one node cannot pull what another one runs",
        (
            pod(0, **STARTING | {"created": NOW - 5000}, waiting=("ImagePullBackOff",), image="web:2"),
            pod(1, started=1.0),
        ),
        Finding(
            WAIT,
            Reason.NOT_THE_RELEASE,
            "pod web-v2-0 cannot pull its image web:2, which other pods of the new version run; "
            "that is not the release's fault",
        ),
    ),
    (
        "another pod runs one of two containers",
        (pod(0, waiting=("ImagePullBackOff",)), pod(1, started=1.0, waiting=("ImagePullBackOff",))),
        Finding(FAIL, Reason.IMAGE_PULL, "pod web-v2-0 and 1 more of the new version cannot pull its image"),
    ),
    ("a pod that goes anyhow", pods("v2", 1, deleting=True, waiting=("CrashLoopBackOff",)), None),
]


@pytest.mark.parametrize(("new", "finding"), [v[1:] for v in VERDICTS], ids=[v[0] for v in VERDICTS])
def test_the_verdict_on_new_pods_beside_healthy_old_ones(new: tuple[Pod, ...], finding: Finding | None) -> None:
    """The gravest finding decides; its sentence reaches every place where people look."""
    found = findings(seen_pods(new, pods("v1", 10)))
    assert found[:1] == ((finding,) if finding else ())


QUOTA = "exceeded quota: few, requested: pods=1, used: pods=10, limited: pods=10"
POLICY = 'violates PodSecurity "restricted:latest": runAsNonRoot != true'
NOT_CREATED = "pods of the new version cannot be created: "


@pytest.mark.parametrize(
    ("why", "there", "age", "finding"),
    [
        (
            QUOTA,
            1,
            5000,
            Finding(WAIT, Reason.NOT_THE_RELEASE, f"{NOT_CREATED}{QUOTA}; that is not the release's fault"),
        ),
        (POLICY, 1, 600, Finding(WAIT, Reason.CANNOT_START, NOT_CREATED + POLICY)),
        (POLICY, 1, 601, Finding(FAIL, Reason.CANNOT_START, NOT_CREATED + POLICY)),
        (POLICY, 2, 5000, None),
        ("", 1, 5000, None),
    ],
)
def test_pods_that_cannot_be_created_hold_the_step(why: str, there: int, age: float, finding: Finding | None) -> None:
    """No pod shows it: an exhausted quota waits for its owner, what refuses the template has as long as a start."""
    known = record(target=2, since=NOW - age)
    sets = (replicaset("v1", 10), replicaset("v2", 2, refused=why))
    seen = observation(known, 2, replicasets=sets, pods=(*pods("v1", 10), *pods("v2", there)))
    assert findings(situation(seen, known))[:1] == ((finding,) if finding else ())


def test_an_evicted_pod_that_has_been_replaced_is_history() -> None:
    """Its object may stay for days."""
    evicted = pod(1, ready=False, outside="Evicted", finished=True, restarts=2, exit_code=137)
    known = record()
    seen = observation(known, 1, pods=(*pods("v1", 10), pod(0), evicted))
    assert findings(situation(seen, known)) == ()


@pytest.mark.parametrize(
    "fault",
    [{"waiting": ("CrashLoopBackOff",)}, {"restarts": 9, "exit_code": 1}, {"flaps": 9}, {"outside": "Evicted"}],
)
def test_faults_of_old_pods_are_no_finding(fault: dict[str, Any]) -> None:
    """A stable version whose own pods crash never blocks the release that mends it."""
    assert findings(seen_pods(pods("v2", 1), pods("v1", 10, **fault))) == ()


CRASHING: dict[str, Any] = {"restarts": 3, "exit_code": 1, "crashed": NOW - 60}


@pytest.mark.parametrize("old", [(), pods("v1", 10), pods("v1", 3, **CRASHING), pods("v1", 10, **CRASHING)])
def test_one_crash_of_each_old_pod_is_less_than_three_of_a_new_one(old: tuple[Pod, ...]) -> None:
    """Of an old pod only the last crash is known to lie within the rollout: each counts once."""
    found = findings(seen_pods(pods("v2", 1, **CRASHING), old))
    assert found == (Finding(FAIL, Reason.CRASHED, ONE + "crashed 3 times (exit code 1)"),)


@pytest.mark.parametrize(
    ("crashed", "severity"),
    [(NOW - 60, WAIT), (NOW - 5000, FAIL), (0, FAIL)],
)
def test_crashes_of_old_pods_within_the_rollout_make_it_an_incident(crashed: float, severity: Severity) -> None:
    """A database is away: both versions crash, and going back would mend nothing. Crashes of last week do not count."""
    new = pods("v2", 2, restarts=1, exit_code=1, crashed=NOW - 60)
    old = pods("v1", 10, restarts=1, exit_code=1, crashed=crashed)
    found = findings(seen_pods(new, old))
    assert [f.severity for f in found] == [severity]
    if severity is WAIT:
        assert found[0].message == (
            "pod web-v2-0 and 1 more crashed once (exit code 1), and pods of the old version crash as often: "
            "an incident, not the release"
        )


@pytest.mark.parametrize(
    ("old_flaps", "severity"),
    [(0, FAIL), (1, FAIL), (2, EXTEND), (5, EXTEND)],
)
def test_readiness_is_compared_with_the_old_pods(old_flaps: int, severity: Severity) -> None:
    """Where these flap as much, the step only takes longer."""
    found = findings(seen_pods(pods("v2", 1, flaps=2), pods("v1", 10, flaps=old_flaps)))
    assert found == (Finding(severity, Reason.UNREADY, ONE + "lost readiness 2 times"),)


@pytest.mark.parametrize(("deadline", "late"), [(30, True), (31, False), (None, False), (600, False)])
def test_never_ready_is_counted_by_the_users_own_deadline(deadline: int | None, late: bool) -> None:
    """The one in force is the brake's; absent means 600, as in the API server."""
    known = record(saved=Fields(deadline=deadline))
    new = pods("v2", 1, **STARTING | {"created": NOW - 31})
    assert bool(findings(seen_pods(new, pods("v1", 10), known))) is late


def test_the_gravest_finding_comes_first() -> None:
    """A wait must not hide a failure."""
    new = (
        pod(0, scheduled=False, **STARTING),
        pod(1, waiting=("ErrImagePull",)),
        pod(2, waiting=("CrashLoopBackOff",), restarts=5, exit_code=1),
    )
    found = findings(seen_pods(new, pods("v1", 10)))
    assert [(f.severity, f.reason) for f in found] == [
        (FAIL, Reason.CRASH_LOOP),
        (FAIL, Reason.CRASHED),
        (EXTEND, Reason.IMAGE_PULL),
        (WAIT, Reason.NOT_THE_RELEASE),
    ]


def test_this_table_asks_every_check() -> None:
    """A new check needs a verdict here."""
    situations = [seen_pods(new, pods("v1", 10)) for _, new, _ in VERDICTS]
    known = record(target=2)
    sets = (replicaset("v1", 10), replicaset("v2", 2, refused=QUOTA))
    situations.append(situation(observation(known, 2, replicasets=sets, pods=pods("v2", 1)), known))
    assert {check for check in CHECKS for s in situations if check(s)} == set(CHECKS)
