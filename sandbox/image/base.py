"""The bottom of the image: a Python from Debian's packages, unpacked without installing anything.

No image registry can be reached, but a distribution's package archive can, and its Python fits the wheels on
PyPI. The packages' own scripts do not run, so what they would have done and is needed is done here: compiling
(the image is read-only, Python could not keep what it compiles at each start), a user to run as, and the one file of
trusted authorities. What dpkg would have noted is left where scanners look in images without dpkg.
"""

import hashlib
import os
import platform
import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache as once
from pathlib import Path

from sandbox import archive, cache
from sandbox.missing import Missing

RECIPE = "2"
"""Part of the cache's key: to be changed with this module."""

ROOTS = ("python3-minimal", "libpython3-stdlib", "ca-certificates")
NEEDED = re.compile(
    r"(lib)?python3(\.\d+)?(-minimal|-stdlib)?|libc6|libgcc-s1|libexpat1|libffi\d|libssl3(t64)?|zlib1g"
    r"|libbz2-1\.0|liblzma5|libuuid1(t64)?|libcrypt1|ca-certificates"
)
"""Of all that Debian's Python depends on; not needed are perl, readline, Kerberos and four databases."""

UNUSED = (
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
STATUS = Path("var") / "lib" / "dpkg" / "status.d"


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
        show only the numbers of lines. One file after the other: what has been interned before shows in the bytes."""
        arguments = ["-m", "compileall", "-q", "-j1", "--invalidation-mode", "unchecked-hash"]
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
            env={"PYTHONHOME": str(self.root / "usr"), "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0"}
            | variables,
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


@once
def latest() -> Base:
    """The one of exactly those packages that apt knows as the newest, for what is given away."""
    options = ("-q", "download", "--print-uris")
    said = subprocess.run(["apt-get", *options, *_names()], capture_output=True, text=True).stdout
    if not said:
        _update()
        said = subprocess.run(["apt-get", *options, *_names()], capture_output=True, text=True).stdout
    exact = hashlib.sha256(said.encode()).hexdigest()[:12]
    made = cache.obtain(f"image-base-{platform.machine()}-{exact}-{RECIPE}", _make)
    return Base(made / "root", archive.load(made / "layer"))


def _make(into: Path) -> None:
    root, packages = into / "root", into / "packages"
    root.mkdir()
    packages.mkdir()
    _download(packages)
    for package in sorted(packages.glob("*.deb")):
        subprocess.run(["dpkg", "-x", package, root], check=True)
        _note(package, root)
    shutil.rmtree(packages)
    for name in ("lib", "lib64"):  # links that newer releases have in another package
        if (root / "usr" / name).exists() and not (root / name).exists():
            (root / name).symlink_to(f"usr/{name}")
    for pattern in UNUSED:
        for path in root.glob(pattern):
            shutil.rmtree(path)
    _keep_licences(root / "usr" / "share" / "doc")
    library = next(root.glob("usr/lib/python3.*"))
    Base(root, archive.Layer(b"", "")).compile(library, f"usr/lib/{library.name}", sources=False)
    _trust(root)
    _add_user(root)
    archive.save(archive.layer(root), into / "layer")


def _note(package: Path, root: Path) -> None:
    """What dpkg would know of it."""
    said = subprocess.run(["dpkg-deb", "--field", package], check=True, capture_output=True, text=True).stdout
    notes = root / STATUS
    notes.mkdir(parents=True, exist_ok=True)
    (notes / package.name.partition("_")[0]).write_text(said)


def _keep_licences(documents: Path) -> None:
    for path in documents.rglob("*"):
        if not path.is_dir() and path.name != "copyright":
            path.unlink()


def _trust(root: Path) -> None:
    """All of Mozilla's authorities in one file, as update-ca-certificates makes it."""
    authorities = sorted((root / "usr" / "share" / "ca-certificates" / "mozilla").glob("*.crt"))
    together = root / "etc" / "ssl" / "certs" / "ca-certificates.crt"
    together.parent.mkdir(parents=True, exist_ok=True)
    together.write_text("".join(path.read_text() for path in authorities))


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
        if attempt == 1:
            _update()
    raise Missing(
        "Debian's packages for the image could not be downloaded; run this again where the package archive can "
        f"be reached. apt-get said:\n{done.stderr.strip()[-1500:]}"
    )


def _update() -> None:
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "-q", "update"], capture_output=True)


def _names() -> list[str]:
    """What Debian's Python needs, whichever version it is in this release."""
    kinds = ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
    command = ["apt-cache", "depends", "--recurse", *(f"--no-{kind}" for kind in kinds), *ROOTS]
    said = subprocess.run(command, capture_output=True, text=True).stdout
    return sorted({line for line in said.splitlines() if NEEDED.fullmatch(line)})
