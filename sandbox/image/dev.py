"""`localhost/penstock:dev`, the sandbox's one image: Penstock's, and the demo's application as one more layer."""

import platform
import shutil
import tempfile
from pathlib import Path

from sandbox import archive
from sandbox.image import code
from sandbox.image.base import base
from sandbox.image.libraries import ROOT

REFERENCE = "localhost/penstock:dev"
DEMO = Path("sandbox") / "demo" / "app.py"


def write(file: Path) -> Path:
    """The image's archive."""
    archive.write(file, REFERENCE, platform.machine(), [*code.layers(base()), demo()], code.CONFIG)
    return file


def demo() -> archive.Layer:
    """One file; its pods import nothing else."""
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary) / "app" / DEMO
        app.parent.mkdir(parents=True)
        shutil.copy(ROOT / DEMO, app)
        return archive.layer(Path(temporary))
