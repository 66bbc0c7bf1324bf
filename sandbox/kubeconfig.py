"""A kubeconfig with everything embedded, so that it can be copied and used by any client.

Only what every client library reads: a certificate or a token, never an exec plugin, which the official
Python client and a container without kubectl could not run.
"""

import base64
import os
from pathlib import Path

import yaml

from sandbox.pki import Pair

NAME = "sandbox"


def write(file: Path, server: str, ca: Path, *, pair: Pair | None = None, token: str = "") -> Path:
    """Write FILE, readable by its owner only, for one identity: the pair's or the token's."""
    user = {"token": token} if pair is None else _certificate(pair)
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": NAME, "cluster": {"server": server, "certificate-authority-data": _encoded(ca)}},
        ],
        "users": [{"name": NAME, "user": user}],
        "contexts": [{"name": NAME, "context": {"cluster": NAME, "user": NAME}}],
        "current-context": NAME,
    }
    partial = file.with_suffix(".new")
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as stream:
        yaml.safe_dump(content, stream, sort_keys=False)
    partial.rename(file)
    return file


def _certificate(pair: Pair) -> dict[str, str]:
    return {"client-certificate-data": _encoded(pair.certificate), "client-key-data": _encoded(pair.key)}


def _encoded(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()
