"""The image: made twice it is the same, code alone changes only its own layer, and it runs without the machine."""

import gzip
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sandbox import archive
from sandbox.image import bill, code, dev
from sandbox.image.__main__ import BUDGET
from sandbox.image.base import base, latest
from sandbox.image.libraries import ROOT, libraries
from sandbox.image.release import Release, checked_out

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_pods")]


@pytest.fixture(scope="module")
def released(real_pods: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Release, Path]]:
    """The archive of this checkout."""
    with checked_out() as release:
        yield release, release.write(tmp_path_factory.mktemp("released"))


def blob(archive: Path, digest: str) -> bytes:
    """One of an archive's blobs."""
    with tarfile.open(archive) as tar:
        file = tar.extractfile(f"blobs/{digest.replace(':', '/')}")
        assert file
        return file.read()


def manifest(file: Path) -> Any:
    """What the image consists of."""
    return json.loads(blob(file, archive.digest(file)))


def layers(file: Path) -> list[str]:
    """The digests of an image's layers."""
    return [layer["digest"] for layer in manifest(file)["layers"]]


def files(file: Path, layer: int) -> set[str]:
    """The names of a layer's files."""
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(blob(file, layers(file)[layer])))) as tar:
        return {entry.name for entry in tar if entry.isfile()}


def test_the_same_checkout_is_the_same_image_within_its_budget(released: tuple[Release, Path], tmp_path: Path) -> None:
    """Two who build the same thing compare two hashes; and nodes have to pull it. Measured: 41 MB."""
    release, first = released
    second = release.write(tmp_path)

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size <= BUDGET == 80_000_000
    assert first.name == f"penstock-{release.version}-{release.architecture}.oci.tar"


def test_it_says_what_it_is_and_starts_as_the_manifests_foresee(released: tuple[Release, Path]) -> None:
    """A numeric user, or Kubernetes could not tell that it is not root."""
    release, file = released
    config = json.loads(blob(file, manifest(file)["config"]["digest"]))
    labels = config["config"].pop("Labels")
    assert config["config"] == {
        "User": "65532:65532",
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
    named = {name.removeprefix("org.opencontainers.image."): text for name, text in labels.items()}
    assert (named["title"], named["version"], named["licenses"]) == ("penstock", release.version, "Apache-2.0")
    assert named.get("revision", "") == release.revision


def test_the_bill_names_every_package_that_is_in_it(released: tuple[Release, Path], tmp_path: Path) -> None:
    """Valid by the schema, the same for the same image, and made of what is there and not of what was asked for."""
    release, file = released
    bottom = latest()
    root = libraries(bottom).root
    first, second = (
        bill.write(tmp_path / name, release, bottom.root, root, archive.digest(file)).read_text() for name in "ab"
    )
    assert first == second
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(first) is None
    said = json.loads(first)
    purls = {component["purl"] for component in said["components"]}
    kinds = [purl.partition("/")[0] for purl in purls]
    assert (kinds.count("pkg:deb"), kinds.count("pkg:pypi")) == (
        len([name for name in files(file, 0) if "/dpkg/status.d/" in name]),
        len([name for name in files(file, 1) if name.endswith(".dist-info/METADATA")]),
    )
    for name in ("pypi/cryptography", "pypi/kubernetes", "pypi/uvloop", "deb/debian/libc6", "deb/debian/libssl3"):
        assert [purl for purl in purls if purl.startswith(f"pkg:{name}@")], name
    assert not [purl for purl in purls if "pytest" in purl or "ruff" in purl]
    assert said["metadata"]["component"]["version"] == release.version


def test_changed_code_changes_only_its_own_layer(tmp_path: Path) -> None:
    """Everything else would make a restart after an edit take as long as a first start."""
    before = layers(dev.write(tmp_path / "before.tar"))
    copy = tmp_path / "copy"
    for name in (*code.CODE, "uv.lock", "pyproject.toml"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy / name)
    (copy / "controller" / "added.py").write_text("ADDED = True\n")

    made = code.layers(base(), copy)
    archive.write(tmp_path / "after.tar", "localhost/x:1", "x86_64", made, {})
    after = layers(tmp_path / "after.tar")
    assert (before[:2], before[2] != after[2], len(before)) == (after[:2], True, 4)


def test_every_server_starts_in_the_images_own_python(tmp_path: Path) -> None:
    """A library that was left out, or removed as unused, would show only when a pod crashes."""
    bottom = base()
    code.copy(bottom, tmp_path)
    path = f"{tmp_path / 'app'}:{libraries(bottom).root}"

    for module in ("webhook", "controller", "penstock.cli"):
        bottom.run(["-m", module, "--help"], PYTHONPATH=path, LANG="C.UTF-8")
    bottom.run(["-c", "import penstock.kube.connection, certs.reload, controller.loop"], PYTHONPATH=path)
    bottom.run(["-m", "py_compile", str(ROOT / dev.DEMO)], PYTHONPYCACHEPREFIX=str(tmp_path))


def built(into: Path, cache: Path, umask: int, *arguments: str) -> Path:
    """`make image`, with nothing made before."""
    command = [sys.executable, "-m", "sandbox.image", "archive", "--into", str(into), *arguments]
    environment = os.environ | {"XDG_CACHE_HOME": str(cache)}
    done = subprocess.run(command, cwd=ROOT, env=environment, umask=umask, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = into.glob("*.oci.tar")
    return file


@pytest.mark.full
def test_two_builds_from_nothing_are_identical_to_the_last_byte(released: tuple[Release, Path], tmp_path: Path) -> None:
    """Downloaded, installed and compiled anew, by people with other habits, and the bill too."""
    first = built(tmp_path / "a", tmp_path / "cache-a", 0o022)
    second = built(tmp_path / "b", tmp_path / "cache-b", 0o077)
    bills = [next(file.parent.glob("*.cdx.json")).read_bytes() for file in (first, second)]
    assert first.read_bytes() == second.read_bytes() == released[1].read_bytes()
    assert bills[0] == bills[1]


@pytest.mark.full
def test_an_earlier_commit_is_built_as_it_was(tmp_path: Path) -> None:
    """With its own code and its own lock file; upgrades are tested with it."""
    commit = subprocess.run(["git", "rev-parse", "HEAD~25"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    file = built(tmp_path, Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")), 0o022, "--ref", commit)
    listed = subprocess.run(
        ["git", "ls-tree", "-r", "--name-only", commit, *code.CODE], cwd=ROOT, capture_output=True, text=True
    )
    assert {name.removeprefix("app/") for name in files(file, 2) if not name.endswith(".pyc")} == set(
        listed.stdout.split()
    )
    assert f"-g{commit[:12]}-" in file.name
