"""The Containerfile, as far as it can be tried where no base image can be pulled: what it copies, runs and declares."""

import gzip
import io
import os
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from sandbox.image import code
from sandbox.image.base import base, latest
from sandbox.image.libraries import ROOT, install

FILE = ROOT / "deploy" / "image" / "Containerfile"
ARM64 = 183
"""The machine in the head of an ELF file."""


def instructions(stage: int) -> list[tuple[str, str]]:
    """Words and arguments of a stage, continued lines as one."""
    text = re.sub(r"\\\n\s*", "", FILE.read_text())
    text = re.sub(r"^(#.*)?\n", "", text, flags=re.MULTILINE)
    lines = re.split(r"^FROM ", text, flags=re.MULTILINE)[stage].splitlines()[1:]
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_it_declares_what_the_archive_declares() -> None:
    """One image with two ways to build it: manifests must not tell them apart."""
    said = dict(instructions(2))
    assert {
        "User": said["USER"],
        "WorkingDir": said["WORKDIR"],
        "Env": said["ENV"].split(),
        "Entrypoint": re.findall(r'"([^"]+)"', said["ENTRYPOINT"]),
        "Cmd": re.findall(r'"([^"]+)"', said["CMD"]),
    } == code.CONFIG


def copied(build: Path) -> Path:
    """What the first stage has when it comes to its last instruction."""
    ignored = (FILE.parent / f"{FILE.name}.dockerignore").read_text().splitlines()
    for word, rest in instructions(1):
        *sources, target = rest.split()
        for source in sources if word == "COPY" else ():
            assert f"!{source}" in ignored, f"{source} is left out by the ignore file"
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, build / target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                (build / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, build / target)
    return build


@pytest.mark.real
@pytest.mark.full
@pytest.mark.usefixtures("real_pods")
def test_what_it_copies_is_enough_for_what_it_runs_and_gives_the_files_of_the_archive(tmp_path: Path) -> None:
    """Its last RUN, with a Python that has nothing but the standard library, as in the stage it stands in."""
    *_, (word, command) = instructions(1)
    assert (word, command) == ("RUN", "python3 -m sandbox.image tree /tree")
    build = copied(tmp_path / "build")
    path = f"{ROOT / '.tools' / 'uv' / 'bin'}:{os.environ['PATH']}"
    called = [Path(sys.base_prefix) / "bin" / "python3", "-s", *command.split()[1:-1], str(tmp_path / "tree")]
    subprocess.run(called, cwd=build, env={"PATH": path, "HOME": str(Path.home())}, check=True)

    written = {str(p.relative_to(tmp_path / "tree")) for p in (tmp_path / "tree").rglob("*") if p.is_file()}
    _, *layers = code.layers(latest())
    assert written == {name for layer in layers for name in _files(layer.data)}


def _files(layer: bytes) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(layer))) as tar:
        return {entry.name for entry in tar if entry.isfile()}


@pytest.mark.real
@pytest.mark.full
@pytest.mark.usefixtures("real_pods")
def test_every_locked_library_is_there_for_arm64_without_being_built(tmp_path: Path) -> None:
    """Nothing is run: there is no such machine. But a library without a wheel would fail the release, late."""
    install(tmp_path / "root", ROOT, base().version, "aarch64-unknown-linux-gnu", tmp_path / "requirements.txt")
    machines = {
        struct.unpack_from("<H", file.read_bytes(), 18)[0]
        for file in (tmp_path / "root").rglob("*.so")
        if file.read_bytes()[:4] == b"\x7fELF"
    }
    assert machines == {ARM64}
