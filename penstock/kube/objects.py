"""Where objects live and how to read them, given that any part may be missing or null.

Objects stay the dictionaries that the API server sent: a typed model would drop the fields it does not know. Kubernetes
writes null where something is empty, so `obj["metadata"]["annotations"].get(…)` fails on real clusters only; these
accessors do not. Times are RFC 3339 in UTC with six digits, as `MicroTime` of a Lease demands.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

Object = Mapping[str, Any]

CORE = "/api/v1"
APPS = "/apis/apps/v1"
LEASES = "/apis/coordination.k8s.io/v1"
EVENTS = "/apis/events.k8s.io/v1"
ADMISSION = "/apis/admissionregistration.k8s.io/v1"


def namespaces() -> str:
    return f"{CORE}/namespaces"


def namespace(name: str) -> str:
    return _named(namespaces(), name)


def deployments(ns: str | None = None) -> str:
    return _listed(APPS, ns, "deployments")


def deployment(ns: str, name: str) -> str:
    return _named(deployments(ns), name)


def replicasets(ns: str | None = None) -> str:
    return _listed(APPS, ns, "replicasets")


def replicaset(ns: str, name: str) -> str:
    return _named(replicasets(ns), name)


def statefulsets(ns: str | None = None) -> str:
    return _listed(APPS, ns, "statefulsets")


def statefulset(ns: str, name: str) -> str:
    return _named(statefulsets(ns), name)


def daemonsets(ns: str | None = None) -> str:
    return _listed(APPS, ns, "daemonsets")


def daemonset(ns: str, name: str) -> str:
    return _named(daemonsets(ns), name)


def pods(ns: str | None = None) -> str:
    return _listed(CORE, ns, "pods")


def pod(ns: str, name: str) -> str:
    return _named(pods(ns), name)


def services(ns: str | None = None) -> str:
    return _listed(CORE, ns, "services")


def service(ns: str, name: str) -> str:
    return _named(services(ns), name)


def secrets(ns: str | None = None) -> str:
    return _listed(CORE, ns, "secrets")


def secret(ns: str, name: str) -> str:
    return _named(secrets(ns), name)


def configmaps(ns: str | None = None) -> str:
    return _listed(CORE, ns, "configmaps")


def configmap(ns: str, name: str) -> str:
    return _named(configmaps(ns), name)


def events(ns: str | None = None) -> str:
    """events.k8s.io/v1, which has `reportingController` and series."""
    return _listed(EVENTS, ns, "events")


def event(ns: str, name: str) -> str:
    return _named(events(ns), name)


def leases(ns: str | None = None) -> str:
    return _listed(LEASES, ns, "leases")


def lease(ns: str, name: str) -> str:
    return _named(leases(ns), name)


def mutating_webhook(name: str) -> str:
    return _named(f"{ADMISSION}/mutatingwebhookconfigurations", name)


def validating_webhook(name: str) -> str:
    return _named(f"{ADMISSION}/validatingwebhookconfigurations", name)


def admission_policy(name: str) -> str:
    return _named(f"{ADMISSION}/validatingadmissionpolicies", name)


def admission_policy_binding(name: str) -> str:
    return _named(f"{ADMISSION}/validatingadmissionpolicybindings", name)


def status(path: str) -> str:
    """The status subresource of an object."""
    return f"{path}/status"


def scale(path: str) -> str:
    """The scale subresource of a workload."""
    return f"{path}/scale"


def at(obj: Any, *steps: str | int, default: Any = None) -> Any:
    """The value at a path of keys and indexes; `default` where a part is missing, null or of another shape."""
    for step in steps:
        try:
            obj = obj[step]
        except (KeyError, IndexError, TypeError):
            return default
    return default if obj is None else obj


def name(obj: Object) -> str:
    return str(at(obj, "metadata", "name", default=""))


def namespace_of(obj: Object) -> str:
    """Empty for objects that live in no namespace."""
    return str(at(obj, "metadata", "namespace", default=""))


def key(obj: Object) -> str:
    """`namespace/name`, or the name alone where there is no namespace."""
    ns = namespace_of(obj)
    return f"{ns}/{name(obj)}" if ns else name(obj)


def uid(obj: Object) -> str:
    return str(at(obj, "metadata", "uid", default=""))


def version(obj: Object) -> str:
    """The resourceVersion, of an object or of a list."""
    return str(at(obj, "metadata", "resourceVersion", default=""))


def labels(obj: Object) -> dict[str, str]:
    return dict(at(obj, "metadata", "labels", default={}))


def annotations(obj: Object) -> dict[str, str]:
    return dict(at(obj, "metadata", "annotations", default={}))


def owner_uid(obj: Object) -> str:
    """The uid of the owner that controls this object, or nothing."""
    for owner in at(obj, "metadata", "ownerReferences", default=[]):
        if at(owner, "controller"):
            return str(at(owner, "uid", default=""))
    return ""


def selector(workload: Object) -> str:
    """The label selector of a workload's pods, as a query parameter."""
    spec = at(workload, "spec", "selector", default={})
    terms = [f"{name}={value}" for name, value in sorted(at(spec, "matchLabels", default={}).items())]
    for rule in at(spec, "matchExpressions", default=[]):
        name, operator, values = rule["key"], rule["operator"], ",".join(at(rule, "values", default=[]))
        forms = {"In": f"{name} in ({values})", "NotIn": f"{name} notin ({values})", "Exists": name}
        terms.append(forms.get(operator) or {"DoesNotExist": f"!{name}"}[operator])
    return ",".join(terms)


def moment(text: str | None) -> float | None:
    """Seconds since 1970 of an RFC 3339 time; None for what is none. Go writes up to nine digits of a second."""
    if not text:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed.timestamp() if parsed.tzinfo else None


def rfc3339(seconds: float) -> str:
    """UTC with six digits, always: MicroTime's own form, and one that sorts as text."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _listed(group: str, ns: str | None, plural: str) -> str:
    return f"{group}/namespaces/{quote(ns, safe='')}/{plural}" if ns is not None else f"{group}/{plural}"


def _named(collection: str, name: str) -> str:
    # Quoted and never empty: a name from outside must not become another path, nor the whole collection.
    if not name or name in (".", ".."):
        raise ValueError(f"{name!r} is no name of an object")
    return f"{collection}/{quote(name, safe='')}"
