"""Kubeconfigs as the tests need them: read for what the proxy must know, written anew to lead through it."""

import base64
import ssl
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Access:
    """How an identity reaches the API server."""

    server: str
    tls: ssl.SSLContext
    user: dict[str, Any]


def read(file: Path) -> Access:
    """The only cluster and the only user of a kubeconfig with everything embedded."""
    content = yaml.safe_load(file.read_text())
    cluster, user = content["clusters"][0]["cluster"], content["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    tls = ssl.create_default_context(cadata=authority)
    if "client-certificate-data" in user:
        with tempfile.NamedTemporaryFile(suffix=".pem") as pair:  # the ssl module reads key pairs from files only
            pair.write(base64.b64decode(user["client-certificate-data"]))
            pair.write(base64.b64decode(user["client-key-data"]))
            pair.flush()
            tls.load_cert_chain(pair.name)
    return Access(cluster["server"], tls, user)


def through(access: Access, url: str, file: Path) -> Path:
    """A kubeconfig for the same identity by way of `url`; a client certificate is shown by the proxy, not by it."""
    user = {"token": access.user["token"]} if "token" in access.user else {}
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "proxy", "cluster": {"server": url}}],
        "users": [{"name": "proxy", "user": user}],
        "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}],
        "current-context": "proxy",
    }
    file.write_text(yaml.safe_dump(content))
    return file
