"""Does the API server reach the webhook, and does it trust it?

Asked by writes in a dry run, for nothing else shows the API server's own view: its network, its caBundle, its
conditions. One that is not answered passes all the same (failurePolicy Ignore) and says nothing of why; so the reason
is asked at the one webhook that fails closed, the fence around the controller's own identity.
"""

import binascii
import secrets
import time
from base64 import b64decode
from typing import Any

from penstock import clock
from penstock.cli.certificate import blocks, ends
from penstock.cli.finding import Finding, Patient, note, ok, unknown, wrong
from penstock.cli.installed import GATE, LOCKS
from penstock.cli.reading import SYSTEM
from penstock.cli.text import ago, date, listed
from penstock.core import keys
from penstock.kube import ApiError, Denied, NotFound, objects

Object = dict[str, Any]

SECRET = "penstock-webhook-certs"
LOGS = f"kubectl logs -n {SYSTEM} deployment/webhook --tail=20"
CONTROLLER_LOGS = f"kubectl logs -n {SYSTEM} deployment/controller --tail=20"
SOON = 7 * 24 * 3600.0
FENCE = "fence.penstock.dev"


async def webhook(patient: Patient) -> list[Finding]:
    """Create a Deployment in a dry run that brings along a record of ours, as a backup would: it must come back
    without."""
    place = next(iter(patient.namespaces), patient.namespace or patient.client.namespace)
    began = time.monotonic()
    try:
        answer = await patient.client.post(
            objects.deployments(place), _backup(place in patient.namespaces), dryRun="All"
        )
    except Denied as error:
        return [unknown("webhook", f"you may not create a Deployment in {place}, in a dry run: {error.message}")]
    except ApiError as error:
        return [unknown("webhook", f"a dry run in namespace {place} is refused by others: {error.message}")]
    took = time.monotonic() - began
    if keys.RECORD not in objects.annotations(answer):
        return [ok("webhook", f"the API server reaches it (a dry run in namespace {place} took {1000 * took:.0f} ms)")]
    why = await _reason(patient)
    return [
        wrong("webhook", f"a write in namespace {place} was not brought to it: {why}; releases are not gated", LOGS)
    ]


def _backup(opted_in: bool) -> Object:
    name = f"penstock-doctor-{secrets.token_hex(4)}"
    labels = {} if opted_in else {keys.ENABLED: "true"}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "none", "image": "none.invalid/none"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": labels, "annotations": {keys.RECORD: "doctor"}},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


async def _reason(patient: Patient) -> str:
    """What the API server says of its way to the webhook."""
    try:
        await patient.client.get(GATE)
    except NotFound:
        return "its configuration is not installed"
    except ApiError:
        pass
    try:
        listed_ones = (await patient.client.get(objects.deployments(), limit=1))["items"]
        if not listed_ones:
            return "it does not answer, or is not trusted"
        path = objects.deployment(objects.namespace_of(listed_ones[0]), objects.name(listed_ones[0]))
        change = {"spec": {"template": {"metadata": {"annotations": {"penstock-doctor": secrets.token_hex(4)}}}}}
        await patient.client.acting_as(keys.CONTROLLER).merge(path, change, dryRun="All")
    except ApiError as error:
        if "failed calling webhook" in error.message:
            return error.message.partition("failed to call webhook: ")[2] or error.message
        if FENCE in error.message:
            return "it answers, so its configuration has another caBundle, or other rules, than the one for validation"
        return "it does not answer, or is not trusted"
    return "the API server does not call it at all"


async def certificates(patient: Patient) -> list[Finding]:
    """What the configurations trust and what the Secret serves, and for how long."""
    bundles: dict[str, bytes] = {}
    for path in (GATE, LOCKS[0]):
        try:
            configuration = await patient.client.get(path)
        except NotFound:
            continue  # told by `installation`
        for entry in configuration.get("webhooks") or ():
            bundles[str(entry.get("name"))] = _decoded(objects.at(entry, "clientConfig", "caBundle", default=""))
    found = [*_trust(bundles)]
    try:
        secret = await patient.client.get(objects.secret(SYSTEM, SECRET))
    except ApiError as error:
        return found or [note("certificates", f"what the webhook serves cannot be compared: {error.message}")]
    data = secret.get("data") or {}
    served, trusted = _decoded(data.get("tls.crt") or ""), _decoded(data.get("ca.crt") or "")
    found += _served(served)
    others = [name for name, bundle in bundles.items() if bundle and not blocks(bundle) & blocks(trusted)]
    if others:
        found.append(
            wrong("certificates", f"{listed(others)} trust another CA than the one in Secret {SECRET}", CONTROLLER_LOGS)
        )
    if found or not bundles:
        return found
    last = min([*ends(served), *ends(trusted)])
    return [ok("certificates", f"trusted and served are the same; valid until {date(last)}")]


def _trust(bundles: dict[str, bytes]) -> list[Finding]:
    now = clock.now()
    empty = [name for name, bundle in bundles.items() if not bundle]
    over = [name for name, bundle in bundles.items() if bundle and max(ends(bundle), default=0.0) < now]
    found = []
    if empty:
        found.append(wrong("certificates", f"{listed(empty)} trust nobody yet: no caBundle", CONTROLLER_LOGS))
    if over:
        found.append(wrong("certificates", f"the caBundle of {listed(over)} has no valid CA", CONTROLLER_LOGS))
    return found


def _served(pem: bytes) -> list[Finding]:
    dates, now = ends(pem), clock.now()
    if not dates:
        return [wrong("certificates", f"Secret {SECRET} has no certificate", CONTROLLER_LOGS)]
    if dates[0] < now:
        return [wrong("certificates", f"the webhook's certificate ended {ago(now - dates[0])} ago", CONTROLLER_LOGS)]
    if dates[0] < now + SOON:
        return [note("certificates", f"the webhook's certificate ends on {date(dates[0])}", CONTROLLER_LOGS)]
    return []


def _decoded(text: str) -> bytes:
    try:
        return b64decode(text)
    except (binascii.Error, ValueError):
        return b""
