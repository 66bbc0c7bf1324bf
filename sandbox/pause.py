"""The image of the pause program, the one image that every pod on a real node needs."""

import hashlib
import platform
from pathlib import Path

from sandbox import archive, cache, progress, toolchain
from sandbox.compile import Program, build

SOURCES = Path(__file__).parent / "controlplane" / "pause"
PROGRAM = Program("pause", SOURCES)
REFERENCE = "localhost/pause:1"
USER = "65535:65535"


def image() -> Path:
    """Its archive, built once."""
    digest = hashlib.sha256((SOURCES / "main.go").read_bytes()).hexdigest()[:12]
    return cache.obtain(f"pause-{platform.machine()}-{digest}", _build) / "pause.tar"


def _build(into: Path) -> None:
    root = into / "root"
    root.mkdir()
    with progress.shown() as told:
        build(toolchain.find(told), PROGRAM, root / "pause", told)
    archive.write(
        into / "pause.tar",
        REFERENCE,
        platform.machine(),
        [archive.layer(root)],
        {"Entrypoint": ["/pause"], "User": USER},
    )
