"""Whether a release would be gated right now, asked the only way that proves it: by a release.

A small Deployment in a labelled namespace is there for that. Changing its template in a dry run goes through
the API server, its webhook configuration, TLS and the webhook, and leaves nothing behind.
"""

import secrets
from typing import Any

from sandbox import pause
from sandbox.api import Api

NAMESPACE = "sandbox-probe"
DEPLOYMENT = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/probe"
LABELS = {"app": "probe"}


def create(api: Api) -> None:
    """The namespace and its Deployment. One pod, because nothing is gated where nothing is available."""
    labels = {"penstock.dev/enabled": "true"}
    api.create("/api/v1/namespaces", {"metadata": {"name": NAMESPACE, "labels": labels}})
    container = {"name": "pause", "image": pause.REFERENCE, "imagePullPolicy": "Never"}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": LABELS},
        "template": {
            "metadata": {"labels": LABELS, "annotations": {"sandbox.penstock.dev/ready-after": "1ms"}},
            "spec": {"containers": [container], "automountServiceAccountToken": False},
        },
    }
    api.create(DEPLOYMENT.rpartition("/")[0], {"metadata": {"name": "probe"}, "spec": spec})


def gated(api: Api) -> bool:
    """Whether a new template for it would be held."""
    change = {"spec": {"template": {"metadata": {"annotations": {"change": secrets.token_hex(4)}}}}}
    answered = api.merge(DEPLOYMENT, change, dryRun="All").object
    return answered.get("spec", {}).get("paused") is True
