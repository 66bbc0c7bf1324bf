"""axe-core, which finds what makes a page hard to use for some: fetched once by npm, checked, and kept in the cache.

600 KB of somebody else's minified code under another licence (MPL-2.0) are better not in the repository.
"""

import base64
import hashlib
import shutil
import subprocess
import tarfile
from functools import cache as remembered
from pathlib import Path

from sandbox import cache

VERSION = "4.14.1"
INTEGRITY = "FHfa+lmNjQZfJz1q8wKqIDwC6DExcHt/pkjNQb09a3NPjCKg2rhu5qb2S4r76ASyFNNtuFooJpZe37OgudVGtQ=="
FILE = "package/axe.min.js"


class Unavailable(Exception):
    """It is not here and could not be fetched; says why."""


@remembered
def script() -> str:
    """Its text. Raises Unavailable."""
    return (cache.obtain(f"axe-core-{VERSION}", _fetch) / "axe.min.js").read_text()


def lacking() -> str:
    """Why it cannot be had; empty where it can."""
    try:
        script()
    except Unavailable as problem:
        return str(problem)
    return ""


def _fetch(into: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise Unavailable("axe-core is fetched by npm, which is not here")
    command = [npm, "pack", "--silent", "--pack-destination", str(into), f"axe-core@{VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=into, check=False)
    archive = into / f"axe-core-{VERSION}.tgz"
    if done.returncode or not archive.exists():
        raise Unavailable(f"npm could not fetch axe-core: {done.stderr.strip()[-300:]}")
    if base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode() != INTEGRITY:
        raise Unavailable(f"what npm gave for axe-core {VERSION} is not what is expected")
    with tarfile.open(archive) as tar:
        found = tar.extractfile(FILE)
        assert found is not None
        (into / "axe.min.js").write_bytes(found.read())
    archive.unlink()
