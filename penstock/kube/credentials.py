"""Where the credentials are, decided before anything heavy is imported.

The order is kubectl's: the flag, $KUBECONFIG (several files are merged), ~/.kube/config, then the ServiceAccount of
the pod. `kubernetes` reads $KUBECONFIG when it is imported, so its own default is the value of some earlier moment;
hence the path is always handed over. A path that was named and does not exist is an error, never a fall-through to
another cluster.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from penstock.kube.errors import NotConfigured

log = logging.getLogger(__name__)

MOUNTED = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where the kubelet mounts the ServiceAccount's token, the CA certificate and the namespace's name."""


@dataclass(frozen=True)
class Kubeconfig:
    """One file or several, separated as in $PATH; the context is the current one unless named."""

    path: str
    context: str | None = None


@dataclass(frozen=True)
class InCluster:
    """The ServiceAccount of the pod we run in, and where the kubelet says the API server is."""

    host: str
    port: str
    mounted: Path = MOUNTED

    @property
    def path(self) -> str:
        return str(self.mounted)

    def namespace(self) -> str:
        """The pod's own; it may be missing where a token was mounted by hand."""
        try:
            return (self.mounted / "namespace").read_text().strip() or "default"
        except OSError:
            return "default"


class TokenFile:
    """A token that the kubelet replaces about once an hour; read again when the file has become another."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._token = ""
        self._changed = -1

    def read(self) -> str:
        """The token; the one before while the file is missing or empty, it is good for some minutes more."""
        try:
            changed = self.path.stat().st_mtime_ns
            if changed != self._changed:
                self._token = self.path.read_text().strip() or self._token
                self._changed = changed
        except OSError as error:
            log.warning("the token cannot be read again, the old one is still used: %s", error)
        return self._token


def find(
    kubeconfig: str | None = None,
    context: str | None = None,
    environ: Mapping[str, str] = os.environ,
    mounted: Path = MOUNTED,
) -> Kubeconfig | InCluster:
    """What to connect with, or NotConfigured with all places that were looked at."""
    for origin, path in (("--kubeconfig", kubeconfig), ("$KUBECONFIG", environ.get("KUBECONFIG"))):
        if path:
            return Kubeconfig(_existing(origin, path), context)
    default = Path(environ.get("HOME", "/")) / ".kube" / "config"
    if default.is_file():
        return Kubeconfig(str(default), context)
    host, port = environ.get("KUBERNETES_SERVICE_HOST"), environ.get("KUBERNETES_SERVICE_PORT")
    if context is None and host and port and (mounted / "token").is_file():
        return InCluster(host, port, mounted)
    raise NotConfigured(
        f"no cluster to talk to: no --kubeconfig, $KUBECONFIG is not set, {default} does not exist"
        + ("" if context else ", and this is not a pod with a ServiceAccount token")
    )


def _existing(origin: str, path: str) -> str:
    files = [part for part in path.split(os.pathsep) if part]
    if not any(Path(part).expanduser().is_file() for part in files):
        directory = any(Path(part).expanduser().is_dir() for part in files)
        raise NotConfigured(f"{origin} names {path}, which {'is a directory' if directory else 'does not exist'}")
    return path


def unusable(place: Kubeconfig | InCluster, error: Exception) -> NotConfigured:
    """Why the credentials cannot be used; a context that does not exist is told with those that do."""
    if isinstance(place, Kubeconfig) and place.context:
        known = contexts(place.path)
        if known and place.context not in known:
            return NotConfigured(f"there is no context {place.context} in {place.path}; there are: {', '.join(known)}")
    return NotConfigured(f"the credentials in {place.path} cannot be used: {error}")


def contexts(path: str) -> list[str]:
    """Names of the contexts in some files, as far as they can be read."""
    import yaml

    found: list[str] = []
    for part in filter(None, path.split(os.pathsep)):
        try:
            loaded = yaml.safe_load(Path(part).expanduser().read_text())
            found += [str(context["name"]) for context in loaded["contexts"]]
        except (OSError, yaml.YAMLError, ValueError, TypeError, KeyError):
            continue
    return found
