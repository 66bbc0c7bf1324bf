"""The bottom of the image: a Python from Debian's packages, unpacked without installing anything.

No image registry can be reached, but a distribution's package archive can, and its Python fits the wheels on
PyPI. The packages' own scripts do not run, so what they would have done and is needed is done here: compiling
(the image is read-only, Python could not keep what it compiles at each start) and a user to run as.
"""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox import archive, cache
from sandbox.missing import Missing

RECIPE = "1"
"""Part of the cache's key: to be changed with this module."""

ROOTS = ("python3-minimal", "libpython3-stdlib")
NEEDED = re.compile(
    r"(lib)?python3(\.\d+)?(-minimal|-stdlib)?|libc6|libgcc-s1|libexpat1|libffi\d|libssl3(t64)?|zlib1g"
    r"|libbz2-1\.0|liblzma5|libuuid1(t64)?|libcrypt1"
)
"""Of all that Debian's Python depends on; not needed are perl, readline, Kerberos and four databases."""

UNUSED = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/lintian",
    "usr/share/locale",
    "usr/share/binfmts",
    "usr/share/python3",
    "usr/lib/*-linux-gnu/gconv",
    "usr/lib/python3*/ensurepip",
    "usr/lib/python3*/sqlite3",
    "usr/lib/python3*/unittest",
    "usr/lib/python3*/test",
    "usr/lib/python3*/idlelib",
    "usr/lib/python3*/lib2to3",
    "usr/lib/python3*/pydoc_data",
    "usr/lib/python3*/distutils",
    "usr/lib/python3*/turtledemo",
    "usr/lib/python3*/config-*",
)

USER = 65532


@dataclass(frozen=True)
class Base:
    """A root file system with Python, and the layer made of it."""

    root: Path
    layer: archive.Layer

    @property
    def version(self) -> str:
        """Its Python, as "3.11"."""
        (library,) = (self.root / "usr" / "lib").glob("python3.*")
        return library.name.removeprefix("python")

    def compile(self, directory: Path, prefix: str, *, sources: bool = True) -> None:
        """Compile what will lie under /PREFIX, by the image's own Python. Files have no times in the image, so what
        is compiled must not be compared with them. Without SOURCES the image is smaller by a sixth, and tracebacks
        show only the numbers of lines."""
        arguments = ["-m", "compileall", "-q", "-j0", "--invalidation-mode", "unchecked-hash"]
        beside = [] if sources else ["-b"]
        self.run([*arguments, *beside, "-s", str(directory), "-p", f"/{prefix}", str(directory)])
        if not sources:
            for file in directory.rglob("*.py"):
                file.unlink()

    def run(self, arguments: list[str], **variables: str) -> None:
        """Run the image's Python here: through its own loader, so that it needs no chroot and no root."""
        loader = next(self.root.glob("lib*/ld-linux-*"))
        libraries = [path for top in ("lib", "usr/lib") for path in self.root.glob(f"{top}/*-linux-gnu")]
        python = self.root / "usr" / "bin" / f"python{self.version}"
        done = subprocess.run(
            [loader, "--library-path", ":".join(map(str, libraries)), python, *arguments],
            env={"PYTHONHOME": str(self.root / "usr"), "PYTHONDONTWRITEBYTECODE": "1"} | variables,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise Missing(f"the image's Python failed at {' '.join(arguments[:3])}:\n{done.stdout}{done.stderr}")


def base() -> Base:
    """The cached one, or a new one: some 40 MB of downloads."""
    # Only the release, not each package's version: an update of Debian's must not stop a start without network.
    release = Path("/etc/debian_version").read_text().strip().replace("/", "-")
    made = cache.obtain(f"image-base-{platform.machine()}-debian-{release}-{RECIPE}", _make)
    return Base(made / "root", archive.load(made / "layer"))


def _make(into: Path) -> None:
    root, packages = into / "root", into / "packages"
    root.mkdir()
    packages.mkdir()
    _download(packages)
    for package in packages.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, root], check=True)
    shutil.rmtree(packages)
    for name in ("lib", "lib64"):  # links that newer releases have in another package
        if (root / "usr" / name).exists() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for pattern in UNUSED:
        for path in root.glob(pattern):
            shutil.rmtree(path)
    strip(root)
    library = next(root.glob("usr/lib/python3.*"))
    Base(root, archive.Layer(b"", "")).compile(library, f"usr/lib/{library.name}", sources=False)
    _add_user(root)
    archive.save(archive.layer(root), into / "layer")


def strip(directory: Path) -> None:
    """Take debugging information out of wheels' libraries, a fifth of the image; where binutils is installed."""
    program = shutil.which("strip")
    files = [str(path) for path in directory.rglob("*.so") if not path.is_symlink()]
    if program and files:
        subprocess.run([program, "--strip-unneeded", *files], check=True, capture_output=True)


def _add_user(root: Path) -> None:
    (root / "etc").mkdir(exist_ok=True)
    (root / "etc" / "passwd").write_text(f"root:x:0:0:root:/:\npenstock:x:{USER}:{USER}:penstock:/app:\n")
    (root / "etc" / "group").write_text(f"root:x:0:\npenstock:x:{USER}:\n")
    (root / "tmp").mkdir(exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _download(into: Path) -> None:
    """apt-get download; with the package lists fetched first where there are none (containers often have none)."""
    for attempt in (1, 2):
        names = _names()
        done = subprocess.run(["apt-get", "-q", "download", *names], cwd=into, capture_output=True, text=True)
        if names and done.returncode == 0:
            return
        if attempt == 1 and os.geteuid() == 0:
            subprocess.run(["apt-get", "-q", "update"], capture_output=True)
    raise Missing(
        "Debian's packages for the image could not be downloaded; run this again where the package archive can "
        f"be reached. apt-get said:\n{done.stderr.strip()[-1500:]}"
    )


def _names() -> list[str]:
    """What Debian's Python needs, whichever version it is in this release."""
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    command = ["apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in kinds), *ROOTS]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    return sorted({line for line in said.splitlines() if NEEDED.fullmatch(line)})
