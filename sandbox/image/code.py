"""The image's own code: webhook, controller and command line, and all three layers of Penstock's image.

Three layers by how often they change: Python (with the distribution), libraries (with uv.lock), code (all the time).
The first two are cached; a change of code costs a second. The file trees are made the same way for every image: that of
`make image`, the sandbox's, and that of deploy/image/Containerfile, where another Python takes the place of the first.
"""

import shutil
import tempfile
from pathlib import Path

from sandbox import archive
from sandbox.image.base import USER, Base, latest
from sandbox.image.libraries import ROOT, directory, libraries

CODE = ("penstock", "webhook", "controller", "certs")
CONFIG = {
    "User": f"{USER}:{USER}",
    "WorkingDir": "/app",
    "Env": [
        "PATH=/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH=/app",
        "PYTHONUNBUFFERED=1",
        "LANG=C.UTF-8",
        "SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt",
    ],
    "Entrypoint": ["python3"],
    "Cmd": ["-m", "penstock.cli", "--help"],
}


def layers(bottom: Base, source: Path = ROOT) -> list[archive.Layer]:
    """Python, libraries, and the code of the checkout SOURCE."""
    with tempfile.TemporaryDirectory() as temporary:
        copy(bottom, Path(temporary), source)
        return [bottom.layer, libraries(bottom, source).layer, archive.layer(Path(temporary))]


def copy(bottom: Base, into: Path, source: Path = ROOT) -> None:
    """The code, compiled, where it is in the image: under /app."""
    app = into / "app"
    for name in CODE:
        shutil.copytree(source / name, app / name, ignore=shutil.ignore_patterns("__pycache__"))
    bottom.compile(app, "app")


def tree(into: Path, source: Path = ROOT) -> None:
    """All but Python itself, for an image whose bottom layer comes from elsewhere."""
    bottom = latest()
    shutil.copytree(libraries(bottom, source).root, into / directory(bottom.version))
    copy(bottom, into, source)
