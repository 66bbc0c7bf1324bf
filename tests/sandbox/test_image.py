"""The image: made twice it is the same, code alone changes only its last layer, and it runs without the machine."""

import gzip
import io
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import pytest

from sandbox import image, image_base, image_libraries

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("real_pods")]

MEGABYTE = 1_000_000


def layers(archive: Path) -> list[str]:
    """The digests of an image's layers."""
    with tarfile.open(archive) as tar:
        index = content(tar, "index.json")
        manifest = content(tar, f"blobs/{index['manifests'][0]['digest'].replace(':', '/')}")
    return [layer["digest"] for layer in manifest["layers"]]


def content(tar: tarfile.TarFile, name: str) -> Any:
    """A JSON file of an archive."""
    file = tar.extractfile(name)
    assert file
    return json.load(file)


def test_the_same_code_is_the_same_image_and_it_is_small(tmp_path: Path) -> None:
    """A restart loads the image only if it differs; and it lies in the node's memory."""
    first, second = (image.write(tmp_path / f"{number}.tar") for number in (1, 2))

    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size < 45 * MEGABYTE  # 27 where binutils can strip the wheels' libraries


def test_changed_code_changes_only_the_last_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything else would make a restart after an edit take as long as a first start."""
    before = layers(image.write(tmp_path / "before.tar"))
    copy = tmp_path / "copy"
    for name in (*image.CODE, str(image.DEMO.parent)):
        shutil.copytree(image.ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    (copy / "controller" / "added.py").write_text("ADDED = True\n")
    monkeypatch.setattr(image, "ROOT", copy)

    after = layers(image.write(tmp_path / "after.tar"))

    assert (before[:2], before[2] != after[2]) == (after[:2], True)


def test_every_server_starts_in_the_images_own_python(tmp_path: Path) -> None:
    """A library that was left out, or removed as unused, would show only when a pod crashes."""
    base = image_base.base()
    libraries = image_libraries.libraries(base)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(image.code(base).data))) as tar:
        tar.extractall(tmp_path)
    path = f"{tmp_path / 'app'}:{libraries.root}"

    for module in ("webhook", "controller"):
        base.run(["-m", module, "--help"], PYTHONPATH=path, LANG="C.UTF-8")
    base.run(["-c", "import penstock.kube.connection, certs.reload, controller.loop"], PYTHONPATH=path)
    base.run(["-m", "py_compile", str(tmp_path / "app" / image.DEMO)])
