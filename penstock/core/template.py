"""Names of pod templates: a short hash that is the same for a Deployment and for its ReplicaSet.

The ReplicaSet's copy carries one label more (pod-template-hash); nulls and absent fields mean the same.
The native hash is not used: it is known only after the ReplicaSet exists, and admission comes before that.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

POD_HASH = "pod-template-hash"

STRONG = 32
"""Digits of a template's hash: it is what the fence goes by, so nobody may compute a template for it. Ten could be had
within minutes."""

RESTART_ANNOTATIONS = (
    "kubectl.kubernetes.io/restartedAt",
    "reloader.stakater.com/last-reloaded-from",
    "rollme",
)
"""Annotations that restart pods and change nothing else: kubectl rollout restart, Reloader, a habit of Helm charts."""


def digest(value: Any, length: int = 10) -> str:
    """A short hash of anything JSON."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]


def plain(template: Mapping[str, Any]) -> dict[str, Any]:
    """The template as the Deployment declares it: without what the Deployment controller adds in a ReplicaSet."""
    metadata = dict(template.get("metadata") or {})
    labels = {k: v for k, v in (metadata.get("labels") or {}).items() if k != POD_HASH}
    metadata["labels"] = labels or None
    return {**template, "metadata": {k: v for k, v in metadata.items() if v is not None}}


def template_hash(template: Mapping[str, Any]) -> str:
    """Equal for two templates exactly if they give the same pods."""
    return digest(_without_nulls(plain(template)), STRONG)


def loose_hash(template: Mapping[str, Any]) -> str:
    """As template_hash, but blind to restart annotations: the same version, restarted, is the same version."""
    bare = plain(template)
    notes = (bare["metadata"].get("annotations") or {}).items()
    kept = {k: v for k, v in notes if k not in RESTART_ANNOTATIONS}
    bare["metadata"]["annotations"] = kept or None
    return digest(_without_nulls(bare), STRONG)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_nulls(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_nulls(v) for v in value]
    return value
