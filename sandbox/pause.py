"""The image of the pause program, the one image that every pod on a real node needs."""

import platform
import shutil
import tempfile
from pathlib import Path

from sandbox import archive, build

REFERENCE = "localhost/pause:1"
CONFIG = {"Entrypoint": ["/pause"], "User": "65535:65535"}


def write(file: Path) -> Path:
    """Its archive."""
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(build.pause(), root)
        archive.write(file, REFERENCE, platform.machine(), [archive.layer(Path(root))], CONFIG)
    return file
