"""The overlay with the page: its flags are ones that the controller takes, and nothing is open without a token."""

import subprocess
from typing import Any

import pytest
import yaml

from controller.__main__ import main
from controller.settings import Settings
from controller.web.access import AccessError
from controller.web.serve import access_of
from sandbox import build
from tests.deploy.plane import DEPLOY

pytestmark = pytest.mark.cluster

Object = dict[str, Any]


def rendered(directory: str) -> dict[tuple[str, str], Object]:
    command = [str(build.binaries() / "kubectl"), "kustomize", str(DEPLOY / directory)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return {(obj["kind"], obj["metadata"]["name"]): obj for obj in yaml.safe_load_all(said)}


def settings(objects: dict[tuple[str, str], Object]) -> Settings:
    """What the controller makes of its arguments."""
    pod = objects["Deployment", "controller"]["spec"]["template"]["spec"]
    return Settings(**main.make_context("controller", list(pod["containers"][0]["args"])).params)


def test_by_default_the_page_is_on_loopback_and_no_service_leads_to_it() -> None:
    """Who installs Penstock has not asked for a page that others can read."""
    objects = rendered("base")
    found = settings(objects)

    assert (found.page_port, found.page_address, found.page_token_file) == (8080, "127.0.0.1", "")
    assert [name for kind, name in objects if kind == "Service"] == ["webhook"]


def test_the_overlay_asks_for_the_token_of_a_secret() -> None:
    """And where that cannot be read, the controller does not start: a page that is open by mistake stays unseen."""
    objects = rendered("overlays/page")
    found = settings(objects)
    pod = objects["Deployment", "controller"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]

    assert (found.page_port, found.page_address) == (8080, "0.0.0.0")
    assert {"name": "page", "mountPath": "/etc/penstock-page", "readOnly": True} in container["volumeMounts"]
    assert {"name": "page", "secret": {"secretName": "penstock-page"}} in pod["volumes"]
    assert found.page_token_file == "/etc/penstock-page/token"
    with pytest.raises(AccessError, match="has no token"):
        access_of(found)
    service = objects["Service", "page"]["spec"]
    assert (service["ports"][0]["targetPort"], {"name": "page", "containerPort": 8080} in container["ports"]) == (
        "page",
        True,
    )
    assert (
        service["selector"].items()
        <= objects["Deployment", "controller"]["spec"]["template"]["metadata"]["labels"].items()
    )
    (rule,) = objects["NetworkPolicy", "controller"]["spec"]["ingress"]
    assert {"protocol": "TCP", "port": 8080} in rule["ports"]
