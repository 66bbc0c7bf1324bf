"""The middle of the image: the servers' libraries at the versions of uv.lock, without what they never use.

The official Kubernetes client is 74 MB of generated models, imported one by one on use; Penstock uses none of
them. Removing them is only right for as long as the rest still imports, so that is tried, in the image's own
Python, before the layer is kept.
"""

import hashlib
import platform
import shutil
import subprocess
import tomllib
from dataclasses import dataclass
from pathlib import Path

from sandbox import archive, cache
from sandbox.image.base import Base
from sandbox.missing import Missing

RECIPE = "3"
ROOT = Path(__file__).parents[2]
MODELS = ("kubernetes/client", "kubernetes/aio/client")
UNUSED = ("kubernetes/test", "kubernetes/docs", "bin", "tzdata", "pycparser")
TRIED = (
    "import cryptography.x509, click, fastapi, httptools, jsonpatch, kubernetes.aio.client, kubernetes.aio.config, "
    "msgspec, prometheus_client, rich.live, structlog, uvicorn, uvloop, yaml"
)
EXTRAS = {
    "notify": "import apprise",
    "otel": "import opentelemetry.sdk.trace, opentelemetry.exporter.otlp.proto.http.trace_exporter",
}
"""Those of pyproject.toml that the image has, and what is tried of them; an earlier commit may lack one."""


@dataclass(frozen=True)
class Libraries:
    """The installed tree and its layer."""

    root: Path
    layer: archive.Layer


def libraries(base: Base, source: Path = ROOT) -> Libraries:
    """The cached ones for the lock file of the checkout SOURCE, or a new installation."""
    lock = hashlib.sha256((source / "uv.lock").read_bytes()).hexdigest()[:12]
    name = f"image-libraries-{platform.machine()}-{base.version}-{lock}-{RECIPE}"
    made = cache.obtain(name, lambda into: _make(into, base, source))
    return Libraries(made / "root", archive.load(made / "layer"))


def directory(version: str) -> str:
    """Where Debian's Python looks for what is not from Debian."""
    return f"usr/local/lib/python{version}/dist-packages"


def _make(into: Path, base: Base, source: Path) -> None:
    root = into / "root"
    install(root, source, base.version, f"{platform.machine()}-unknown-linux-gnu", into / "requirements.txt")
    prune(root)
    _try(base, root, source)
    base.compile(root, directory(base.version), sources=False)
    archive.save(archive.layer(root, directory(base.version)), into / "layer")


def install(root: Path, source: Path, version: str, target: str, locked: Path) -> None:
    """What uv.lock says for this Python on this platform, and nothing that would have to be built."""
    _uv(
        source,
        *("export", "--quiet", "--frozen", "--no-default-groups", "--group", "server", "--no-emit-project"),
        *(option for extra in _extras(source) for option in ("--extra", extra)),
        *("--output-file", str(locked)),
    )
    _uv(
        source,
        *("pip", "install", "--quiet", "--target", str(root), "--no-deps", "--require-hashes", "--no-build"),
        *("--python-version", version, "--python-platform", target),
        *("--link-mode", "copy", "--requirements", str(locked)),
    )


def _extras(source: Path) -> list[str]:
    project = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return [extra for extra in EXTRAS if extra in project.get("optional-dependencies", {})]


def _try(base: Base, root: Path, source: Path) -> None:
    for imports in (TRIED, *(EXTRAS[extra] for extra in _extras(source))):
        base.run(["-c", imports], PYTHONPATH=str(root))


def prune(root: Path) -> None:
    """Take out what Penstock never imports."""
    for name in UNUSED:
        shutil.rmtree(root / name, ignore_errors=True)
    for pattern in ("*.pyi", "*.pyx", "*.pxd", "*.c", "*.h"):
        for file in root.rglob(pattern):
            file.unlink()
    for client in MODELS:
        for kind in ("models", "api"):
            for file in (root / client / kind).glob("*.py"):
                if file.name != "__init__.py":
                    file.unlink()


def _uv(source: Path, *arguments: str) -> None:
    private = ROOT / ".tools" / "uv" / "bin" / "uv"
    uv = str(private) if private.exists() else shutil.which("uv")
    if uv is None:
        raise Missing("uv is needed for the image; `make setup` fetches it")
    done = subprocess.run([uv, *arguments], cwd=source, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"the image's libraries could not be installed. uv said:\n{done.stderr.strip()}")
