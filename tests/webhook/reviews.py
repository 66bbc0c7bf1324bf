"""Reviews as a real API server sends them."""

import copy
import json
from typing import Any

Object = dict[str, Any]


def deployment(image: str = "shop:1", **spec: Any) -> Object:
    """Ten pods that all run the template."""
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "web", "image": image}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "uid": "d-1", "generation": 3},
        "spec": {
            "replicas": 10,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
            "template": template,
            **spec,
        },
        "status": {"observedGeneration": 3, "replicas": 10, "updatedReplicas": 10, "availableReplicas": 10},
    }


def request(**changes: Any) -> Object:
    """An UPDATE that changes the image."""
    asked: Object = {
        "uid": "r-1",
        "kind": {"group": "apps", "version": "v1", "kind": "Deployment"},
        "resource": {"group": "apps", "version": "v1", "resource": "deployments"},
        "name": "web",
        "namespace": "shop",
        "operation": "UPDATE",
        "userInfo": {"username": "anna", "groups": ["system:authenticated"]},
        "object": deployment("shop:2"),
        "oldObject": deployment(),
        "dryRun": False,
        "options": {"kind": "UpdateOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl-set"},
    }
    return copy.deepcopy(asked) | changes


def review(asked: Object | None = None, **changes: Any) -> bytes:
    """The body of a call."""
    body = {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": asked or request(), **changes}
    return json.dumps(body).encode()


def nested(depth: int) -> bytes:
    """A review whose object is as deep as told; made of text, for json.dumps would not."""
    asked = review(request(object={"deep": "HERE"}, oldObject=None)).decode()
    return asked.replace('"HERE"', '{"a":' * (depth - 1) + "1" + "}" * (depth - 1)).encode()
