"""The image as it is given away: an archive named by version and architecture, with its bill of materials beside it.

Whatever is in it comes from a checkout, uv.lock and the distribution's packages; no time, no name of a machine and no
owner of a file. So two people who build the same commit on the same release of Debian can compare two hashes.
"""

import platform
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox import archive
from sandbox.image import code
from sandbox.image.base import latest
from sandbox.image.libraries import ROOT
from sandbox.missing import Missing

REPOSITORY = "localhost/penstock"


@dataclass(frozen=True)
class Release:
    """What is built: the checkout SOURCE, of the commit REVISION if it is exactly one ("" if it is not)."""

    source: Path
    version: str
    revision: str

    @property
    def reference(self) -> str:
        """The image's name in the archive."""
        return f"{REPOSITORY}:{self.version}"

    @property
    def architecture(self) -> str:
        """As registries call it."""
        return archive.ARCHITECTURES.get(platform.machine(), platform.machine())

    def file(self, directory: Path) -> Path:
        """Where its archive is."""
        return directory / f"penstock-{self.version}-{self.architecture}.oci.tar"

    def write(self, directory: Path) -> Path:
        """The archive."""
        directory.mkdir(parents=True, exist_ok=True)
        file = self.file(directory)
        config = {**code.CONFIG, "Labels": self._labels()}
        archive.write(file, self.reference, platform.machine(), code.layers(latest(), self.source), config)
        return file

    def _labels(self) -> dict[str, str]:
        project = _project(self.source)
        labels = {"title": "penstock", "description": project["description"], "licenses": project["license"]}
        labels |= {"version": self.version} | ({"revision": self.revision} if self.revision else {})
        return {f"org.opencontainers.image.{name}": text for name, text in labels.items()}


@contextmanager
def checked_out(commit: str = "") -> Iterator[Release]:
    """This checkout as it is; or another commit, whose version says so."""
    if not commit:
        clean = not _git("status", "--porcelain", "--untracked-files=normal")
        yield Release(ROOT, str(_project(ROOT)["version"]), _git("rev-parse", "HEAD").decode().strip() if clean else "")
        return
    revision = _git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}").decode().strip()
    with tempfile.TemporaryDirectory() as temporary:
        subprocess.run(["tar", "-x", "-C", temporary], input=_git("archive", "--format=tar", revision), check=True)
        version = f"{_project(Path(temporary))['version']}-g{revision[:12]}"
        yield Release(Path(temporary), version, revision)


def _project(source: Path) -> dict[str, str]:
    project: dict[str, str] = tomllib.loads((source / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project


def _git(*arguments: str) -> bytes:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True)
    if done.returncode:
        raise Missing(f"git {' '.join(arguments)} failed: {done.stderr.decode().strip() or 'no such commit'}")
    return done.stdout
