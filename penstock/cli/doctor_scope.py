"""What is in Penstock's scope, and can it work there: labels, plans, metrics, rollouts that wait for a person to mend
something.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from penstock.cli.finding import Finding, Patient, ok, unknown, wrong
from penstock.cli.reading import SYSTEM
from penstock.cli.text import counted, listed
from penstock.core import keys
from penstock.core.guard import label
from penstock.core.plan import Plan, plan
from penstock.core.queries import Limit
from penstock.core.reasons import Reason
from penstock.core.units import AnnotationError
from penstock.kube import ApiError, Client, NotFound, objects
from penstock.kube.metadata import metadata
from penstock.metrics.configuration import ConfigurationError, Prometheus, parse

Object = dict[str, Any]

CONFIGMAP = objects.configmap(SYSTEM, "penstock")
EDIT = f"kubectl edit configmap penstock -n {SYSTEM}"

TO_MEND = frozenset({Reason.UNREACHABLE, Reason.NO_SERIES, Reason.BAD_ANNOTATION, Reason.BAD_RECORD})
"""Reasons of held rollouts that say that something is not set up right."""


async def admit(client: Client, namespace: str) -> Patient:
    """What is looked at: one namespace, or all that are opted in, and single workloads that are."""
    if namespace:
        homes = {namespace: await client.get(objects.namespace(namespace))}
    else:
        listed_ones = await client.get(objects.namespaces(), labelSelector=f"{keys.ENABLED}=true")
        homes = {objects.name(item): item for item in listed_ones["items"]}
    opted_in = {name: home for name, home in homes.items() if label(home, keys.ENABLED) == "true"}
    place = objects.deployments(namespace or None)
    workloads = [item async for item in metadata(client, place) if _in_scope(item, opted_in)]
    return Patient(client, namespace, opted_in, tuple(workloads))


def _in_scope(item: Object, opted_in: Mapping[str, Object]) -> bool:
    own = label(item, keys.ENABLED)
    return own == "true" or (own != "false" and objects.namespace_of(item) in opted_in)


async def scope(patient: Patient) -> list[Finding]:
    """Whether anything is opted in, and whether every label says what it may."""
    found = await _bad_labels(patient)
    many, homes = counted(len(patient.workloads), "Deployment"), sorted(patient.namespaces)
    if homes:
        return [*found, ok("scope", f"{many} in {'namespace' if len(homes) == 1 else 'namespaces'} {listed(homes)}")]
    if patient.workloads:
        return [*found, ok("scope", f"{many}, opted in by their own label")]
    name = patient.namespace or "NAME"
    command = f"kubectl label namespace {name} {keys.ENABLED}=true"
    what = f"namespace {name} is not opted in" if patient.namespace else "no namespace and no Deployment is opted in"
    return [*found, wrong("scope", f"{what}: releases go to all pods at once", command)]


async def _bad_labels(patient: Patient) -> list[Finding]:
    """`yes` or `True` opt nothing in, and nobody says so: the API server does not call us for them."""
    try:
        odd = await patient.client.get(
            objects.namespaces(), labelSelector=f"{keys.ENABLED},{keys.ENABLED} notin (true,false)"
        )
    except ApiError:
        return []
    return [
        wrong(
            "scope",
            f"namespace {objects.name(item)} has {keys.ENABLED}: {label(item, keys.ENABLED)}, which opts nothing in",
            f"kubectl label namespace {objects.name(item)} {keys.ENABLED}=true --overwrite",
        )
        for item in odd["items"]
    ]


async def plans(patient: Patient) -> list[Finding]:
    """Whether the plan of every workload can be read."""
    found, read = list[Finding](), 0
    for item in patient.workloads:
        try:
            planned(patient, item)
            read += 1
        except AnnotationError as error:
            found.append(wrong("plans", f"{objects.key(item)}: annotation {error}", _correct(patient, item, error)))
    if patient.workloads and not found:
        found.append(ok("plans", f"{counted(read, 'plan')} can be read"))
    return found


def planned(patient: Patient, item: Object) -> Plan:
    """Of one workload. Raises AnnotationError."""
    home = patient.namespaces.get(objects.namespace_of(item))
    return plan(objects.annotations(item), objects.annotations(home) if home else {})


def _correct(patient: Patient, item: Object, error: AnnotationError) -> str:
    """The annotation where it stands, with a value that is right."""
    where, name = objects.namespace_of(item), objects.name(item)
    value = "'" + error.example.strip('"').replace("'", "'\\''") + "'"
    if error.key in objects.annotations(item):
        return f"kubectl annotate deployment {name} -n {where} --overwrite {error.key}={value}"
    return f"kubectl annotate namespace {where} --overwrite {error.key}={value}"


async def metrics(patient: Patient) -> list[Finding]:
    """Whether checks that are configured have somewhere to ask."""
    try:
        configmap = await patient.client.get(CONFIGMAP)
        settings = parse((configmap.get("data") or {}).get("penstock.yaml", "version: 1").encode()).prometheus
    except NotFound:
        settings = None
    except ConfigurationError as error:
        return [wrong("metrics", f"ConfigMap penstock in {SYSTEM}: {error}", EDIT)]
    lacking = [] if settings else _without_source(patient)
    if lacking:
        verb = "ask" if len(lacking) > 1 else "asks"
        return [wrong("metrics", f"{listed(lacking)} {verb} a Prometheus, and none is configured", EDIT)]
    if settings is None:
        return [ok("metrics", "no Prometheus is configured; checks are asked at the pods themselves")]
    return [await _asked(patient.client, settings)]


def _without_source(patient: Patient) -> list[str]:
    """Workloads with limits, or that insist on a Prometheus for their checks."""
    found = []
    for item in patient.workloads:
        try:
            chosen = planned(patient, item)
        except AnnotationError:
            continue  # told by `plans`
        if chosen.checks and (chosen.source == "prometheus" or any(isinstance(c.query, Limit) for c in chosen.checks)):
            found.append(objects.key(item))
    return found


async def _asked(client: Client, settings: Prometheus) -> Finding:
    if settings.bearer_token_file or settings.basic_auth or settings.ca_file or settings.header_files:
        return unknown("metrics", f"{settings.url} wants credentials that only the controller has; see its metrics")
    trouble = await _trouble(client, settings)
    if trouble:
        return wrong("metrics", f"{settings.url} does not answer: {trouble}", EDIT)
    return ok("metrics", f"{settings.url} answers")


async def _trouble(client: Client, settings: Prometheus) -> str:
    """Asked through the API server where it is a Service of the cluster, else from here."""
    from penstock.metrics.query import Api
    from penstock.metrics.web import Trouble

    url = urlsplit(settings.url)
    name, _, rest = (url.hostname or "").partition(".")
    namespace, _, domain = rest.partition(".")
    if domain == "svc" or domain.startswith("svc."):
        port = url.port or (443 if url.scheme == "https" else 80)
        path = f"{objects.service(namespace, f'{url.scheme}:{name}:{port}')}/proxy{url.path.rstrip('/')}/api/v1/query"
        try:
            await client.get(path, query="1")
        except ApiError as error:
            return error.message
        return ""
    try:
        async with Api(settings) as api:
            await api.number("1")
    except Trouble as trouble:
        return f"{trouble} (asked from here)"
    return ""


async def rollouts(patient: Patient) -> list[Finding]:
    """Active rollouts that are held because something is not set up right, by the controller's own words."""
    place = objects.deployments(patient.namespace or None)
    active = (await patient.client.get(place, labelSelector=keys.ROLLOUT))["items"]
    found = []
    for item in active:
        for condition in objects.at(item, "status", "conditions", default=[]):
            if condition.get("type") == keys.CONDITION and condition.get("reason") in TO_MEND:
                words = f"{objects.key(item)} is held, {condition['reason']}: {condition.get('message')}"
                command = f"penstock status {objects.name(item)} -n {objects.namespace_of(item)}"
                found.append(wrong("rollouts", words, command))
    return found or [ok("rollouts", f"{len(active)} active, none waits for something to be mended")]
