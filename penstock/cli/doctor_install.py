"""Is Penstock there, alive, and allowed to do its work?"""

import asyncio

from penstock import clock
from penstock.cli.finding import Finding, Patient, note, ok, wrong
from penstock.cli.installed import CONTROLLER, PARTS, present, spoken
from penstock.cli.reading import SILENT, SYSTEM, unattended
from penstock.cli.text import listed
from penstock.core import keys
from penstock.kube import objects

INSTALL = "kubectl apply -k deploy"
LOOK = f"kubectl get deployments,pods -n {SYSTEM}"
CERTS = "penstock-certs"

Right = tuple[str, str, str, str, str]
"""Verb, group, resource, name, namespace; an empty name or namespace is any."""

APPS, CORE, ADMISSION = "apps", "", "admissionregistration.k8s.io"
RIGHTS: tuple[Right, ...] = (
    *((verb, APPS, "deployments", "", "") for verb in ("get", "list", "watch", "patch")),
    ("patch", APPS, "deployments/status", "", ""),
    *((verb, APPS, "replicasets", "", "") for verb in ("get", "list", "watch", "patch", "delete")),
    *((verb, CORE, "pods", "", "") for verb in ("get", "list", "watch")),
    ("get", CORE, "namespaces", "", ""),
    *((verb, CORE, "configmaps", "", "") for verb in ("create", "patch")),
    *((verb, group, "events", "", "") for group in ("events.k8s.io", CORE) for verb in ("create", "patch")),
    *(
        (verb, ADMISSION, f"{kind}webhookconfigurations", "zz-penstock", "")
        for kind in ("mutating", "validating")
        for verb in ("get", "list", "watch", "patch")
    ),
    *((verb, "coordination.k8s.io", "leases", "", SYSTEM) for verb in ("get", "create", "patch")),
    *((verb, CORE, "secrets", "penstock-webhook-certs", SYSTEM) for verb in ("get", "list", "watch", "update")),
    *((verb, CORE, "configmaps", "penstock-notified", SYSTEM) for verb in ("get", "patch")),
    ("list", "discovery.k8s.io", "endpointslices", "", SYSTEM),
)
"""What the controller needs; a test compares it with deploy/."""

REVIEW = "/apis/authorization.k8s.io/v1/subjectaccessreviews"


async def installation(patient: Patient) -> list[Finding]:
    """The parts, by name. The controller itself may run under another name, or outside; its lease tells."""
    there = await present(patient.client)
    missing = [spoken(path) for path in PARTS if path not in there and path != CONTROLLER]
    if missing:
        return [wrong("installation", f"{listed(missing)} {'is' if len(missing) == 1 else 'are'} missing", INSTALL)]
    return [ok("installation", "namespace, webhook configurations, locks and rights of the controller are there")]


async def controllers(patient: Patient) -> list[Finding]:
    """Whether somebody leads, by the age of the leases."""
    leases = (await patient.client.get(objects.leases(SYSTEM)))["items"]
    now, names = clock.now(), sorted(patient.namespaces) or [patient.namespace or "default"]
    silent = {name: words for name in names if (words := unattended(leases, name, now))}
    found = [ok("controller", "at work, its lease is renewed")]
    if silent:
        where = "" if len(silent) == len(names) else f" (namespaces {listed(silent)})"
        found = [wrong("controller", f"{next(iter(silent.values()))}{where}", LOOK)]
    custody = [lease for lease in leases if objects.name(lease) == CERTS]
    renewed = max((objects.moment(objects.at(lease, "spec", "renewTime")) or 0.0 for lease in custody), default=0.0)
    if now - renewed > SILENT and not silent:
        found.append(note("controller", "nobody renews the certificates (run with --without-certs?)", LOOK))
    return found


async def rights(patient: Patient) -> list[Finding]:
    """Whether the controller's identity may do what it must."""
    allowed = await asyncio.gather(*(_allowed(patient, right) for right in RIGHTS))
    lacking = [f"{r[0]} {r[2]}" for r, may in zip(RIGHTS, allowed, strict=True) if not may]
    if lacking:
        return [wrong("rights", f"the controller may not {listed(lacking)}", INSTALL)]
    return [ok("rights", f"the controller may do all it needs ({len(RIGHTS)} rights)")]


async def _allowed(patient: Patient, right: Right) -> bool:
    verb, group, resource, name, namespace = right
    plural, _, sub = resource.partition("/")
    attributes = {"verb": verb, "group": group, "resource": plural, "subresource": sub}
    attributes |= {"name": name, "namespace": namespace}
    groups = ["system:serviceaccounts", f"system:serviceaccounts:{SYSTEM}", "system:authenticated"]
    spec = {"user": keys.CONTROLLER, "groups": groups, "resourceAttributes": attributes}
    body = {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
    answer = await patient.client.post(REVIEW, body)
    return bool(objects.at(answer, "status", "allowed"))
