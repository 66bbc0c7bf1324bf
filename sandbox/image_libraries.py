"""The middle of the image: the servers' libraries at the versions of uv.lock, without what they never use.

The official Kubernetes client is 74 MB of generated models, imported one by one on use; Penstock uses none of
them. Removing them is only right for as long as the rest still imports, so that is tried, in the image's own
Python, before the layer is kept.
"""

import hashlib
import platform
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import archive, cache
from sandbox.image_base import Base, strip
from sandbox.missing import Missing

RECIPE = "2"
ROOT = Path(__file__).parents[1]
MODELS = ("kubernetes/client", "kubernetes/aio/client")
UNUSED = ("kubernetes/test", "kubernetes/docs", "bin", "tzdata", "pycparser")
NOT_SERVED = ("rich", "jsonpatch")
"""Only the command line draws tables and previews patches."""

TRIED = (
    "import apprise, cryptography.x509, fastapi, httptools, kubernetes.aio.client, kubernetes.aio.config, msgspec, "
    "opentelemetry.sdk.trace, prometheus_client, structlog, uvicorn, uvloop, yaml; "
    "import opentelemetry.exporter.otlp.proto.http.trace_exporter"
)


@dataclass(frozen=True)
class Libraries:
    """The installed tree and its layer."""

    root: Path
    layer: archive.Layer


def libraries(base: Base) -> Libraries:
    """The cached ones for this lock file, or a new installation."""
    lock = hashlib.sha256((ROOT / "uv.lock").read_bytes()).hexdigest()[:12]
    name = f"image-libraries-{platform.machine()}-{base.version}-{lock}-{RECIPE}"
    made = cache.obtain(name, lambda into: _make(into, base))
    return Libraries(made / "root", archive.load(made / "layer"))


def directory(version: str) -> str:
    """Where Debian's Python looks for what is not from Debian."""
    return f"usr/local/lib/python{version}/dist-packages"


def _make(into: Path, base: Base) -> None:
    root = into / "root"
    locked = into / "requirements.txt"
    _uv(
        *("export", "--quiet", "--frozen", "--no-default-groups", "--group", "server", "--no-emit-project"),
        *("--extra", "notify", "--extra", "otel"),
        *(option for name in NOT_SERVED for option in ("--prune", name)),
        *("--output-file", str(locked)),
    )
    _uv(
        *("pip", "install", "--quiet", "--target", str(root), "--no-deps", "--require-hashes", "--no-build"),
        *("--python-version", base.version, "--python-platform", f"{platform.machine()}-unknown-linux-gnu"),
        *("--link-mode", "copy", "--requirements", str(locked)),
    )
    _prune(root)
    base.run(["-c", TRIED], PYTHONPATH=str(root))
    strip(root)
    base.compile(root, directory(base.version), sources=False)
    archive.save(archive.layer(root, directory(base.version)), into / "layer")


def _prune(root: Path) -> None:
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


def _uv(*arguments: str) -> None:
    private = ROOT / ".tools" / "uv" / "bin" / "uv"
    uv = str(private) if private.exists() else shutil.which("uv")
    if uv is None:
        raise Missing("uv is needed for the image; `make setup` fetches it")
    done = subprocess.run([uv, *arguments], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"the image's libraries could not be installed. uv said:\n{done.stderr.strip()}")
