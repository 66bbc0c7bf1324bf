"""`localhost/penstock:dev`: webhook, controller and the demo application in one image, made here.

Three layers by how often they change: Python (with the distribution), libraries (with uv.lock), code (all the
time). The first two are cached; a change of code costs a second.
"""

import os
import platform
import shutil
import tempfile
from pathlib import Path

from sandbox import archive
from sandbox.image_base import USER, Base, base
from sandbox.image_libraries import ROOT, libraries

REFERENCE = "localhost/penstock:dev"
CODE = ("penstock", "webhook", "controller", "certs")
DEMO = Path("sandbox") / "demo" / "app.py"


def write(file: Path) -> Path:
    """The image's archive."""
    bottom = base()
    layers = [bottom.layer, libraries(bottom).layer, code(bottom)]
    config = {
        "User": f"{USER}:{USER}",
        "WorkingDir": "/app",
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "PYTHONPATH=/app", "PYTHONUNBUFFERED=1", "LANG=C.UTF-8"],
        "Cmd": ["python3"],
    }
    archive.write(file, REFERENCE, platform.machine(), layers, config)
    return file


def code(base: Base) -> archive.Layer:
    """This checkout's code, under /app."""
    with tempfile.TemporaryDirectory() as temporary:
        app = Path(temporary) / "app"
        for name in CODE:
            shutil.copytree(ROOT / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
        (app / DEMO).parent.mkdir(parents=True)
        shutil.copy(ROOT / DEMO, app / DEMO)
        base.compile(app, "app")
        _readable(app)
        return archive.layer(app, "app")


def _readable(directory: Path) -> None:
    """By the image's user, whatever the umask of whoever checked the code out."""
    for path in [directory, *directory.rglob("*")]:
        os.chmod(path, 0o755 if path.is_dir() else 0o644)
