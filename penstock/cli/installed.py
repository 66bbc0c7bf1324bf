"""The parts of an installation in a cluster, by the names that deploy/ gives them, and how they are taken away.

A namespace is deleted as a whole, so what an administrator has added to ours goes too; it is ours by its name.
"""

import asyncio
from collections.abc import Iterable

from penstock import clock
from penstock.cli.reading import LEASE, SILENT, SYSTEM
from penstock.kube import Client, NotFound, objects

RBAC = "/apis/rbac.authorization.k8s.io/v1"

CONTROLLER = objects.deployment(SYSTEM, "controller")
GATE = objects.mutating_webhook("zz-penstock")
LOCKS = (
    objects.validating_webhook("zz-penstock"),
    objects.admission_policy_binding("penstock-step-lock"),
    objects.admission_policy("penstock-step-lock"),
)
REST = (
    objects.namespace(SYSTEM),
    objects.admission_policy_binding("penstock-fence"),
    objects.admission_policy("penstock-fence"),
    objects.admission_policy_binding("penstock-history"),
    objects.admission_policy("penstock-history"),
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas/penstock-leases",
    f"{RBAC}/clusterrolebindings/penstock-controller",
    f"{RBAC}/clusterroles/penstock-controller",
)
PARTS = (CONTROLLER, GATE, *LOCKS, *REST)

ENDING = 40.0
"""Seconds for the controller's pods to end: their grace period and a little."""

PAUSE = 0.5
RENEWAL = 5.0
"""Seconds within which a living controller renews its lease: it does every two."""


def spoken(path: str) -> str:
    """`deployment/controller`: as kubectl says it."""
    plural, _, name = path.rpartition("/")
    kind = plural.rpartition("/")[2]
    return f"{'validatingadmissionpolicy' if kind == 'validatingadmissionpolicies' else kind[:-1]}/{name}"


async def present(client: Client, parts: tuple[str, ...] = PARTS) -> tuple[str, ...]:
    """Those of the parts that are there."""
    found = await asyncio.gather(*(_exists(client, path) for path in parts))
    return tuple(path for path, there in zip(parts, found, strict=True) if there)


async def _exists(client: Client, path: str) -> bool:
    try:
        found = await client.get(path)
    except NotFound:
        return False
    return objects.at(found, "metadata", "deletionTimestamp") is None


async def remove(client: Client, paths: Iterable[str]) -> tuple[str, ...]:
    """Delete these, in this order; those that were there."""
    gone = []
    for path in paths:
        try:
            await client.delete(path, propagationPolicy="Background")
        except NotFound:
            continue
        gone.append(path)
    return tuple(gone)


async def drop_leases(client: Client) -> None:
    """Made by controllers themselves, for work and certificates; only the end of the namespace would take them away."""
    names = map(objects.name, (await client.get(objects.leases(SYSTEM)))["items"])
    await remove(client, [objects.lease(SYSTEM, name) for name in names if name.startswith("penstock-")])


async def stop_controller(client: Client) -> tuple[str, ...]:
    """Delete the controller and wait until its pods have ended; a write that is under way is done then."""
    try:
        selector = objects.selector(await client.get(CONTROLLER))
    except NotFound:
        return ()
    gone = await remove(client, [CONTROLLER])
    for _ in range(int(ENDING / PAUSE)):
        if not (await client.get(objects.pods(SYSTEM), labelSelector=selector))["items"]:
            break
        await asyncio.sleep(PAUSE)
    return gone


async def still_led(client: Client) -> bool:
    """Whether a controller runs all the same, one of another name or outside of the cluster."""
    before = await _renewals(client)
    if not any(clock.now() - moment < SILENT for moment in before.values()):
        return False
    await asyncio.sleep(RENEWAL)
    return any(moment > before.get(name, 0.0) for name, moment in (await _renewals(client)).items())


async def _renewals(client: Client) -> dict[str, float]:
    leases = (await client.get(objects.leases(SYSTEM)))["items"]
    mine = [lease for lease in leases if objects.name(lease).startswith(LEASE)]
    return {objects.name(lease): objects.moment(objects.at(lease, "spec", "renewTime")) or 0.0 for lease in mine}
