"""Image archives as `ctr images import` takes them, written without Docker and without a registry.

The layout is the Open Container Initiative's: blobs named by their hash, an index that names the manifest.
Everything in it is a function of the content (sorted names, no times, no owners), so the same content has
the same digest on every machine, and containerd does not unpack again what it has.
"""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MEDIA = "application/vnd.oci.image"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Layer:
    """One compressed layer, and the hash of what is in it before compression."""

    data: bytes
    content: str


def layer(directory: Path, prefix: str = "") -> Layer:
    """The tree under DIRECTORY, as it will be under /PREFIX."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for path in sorted(directory.rglob("*")):
            tar.add(path, arcname=str(Path(prefix) / path.relative_to(directory)), recursive=False, filter=_anonymous)
    return compressed(stream.getvalue())


def save(made: Layer, file: Path) -> None:
    """Keep a layer in two files, FILE.tar.gz and FILE.content."""
    file.with_suffix(".tar.gz").write_bytes(made.data)
    file.with_suffix(".content").write_text(made.content)


def load(file: Path) -> Layer:
    """What `save` kept."""
    return Layer(file.with_suffix(".tar.gz").read_bytes(), file.with_suffix(".content").read_text())


def compressed(tar: bytes) -> Layer:
    """A layer from a tar archive."""
    return Layer(gzip.compress(tar, 6, mtime=0), _digest(tar))


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    """Nobody's, of no time, and readable by all, whatever the umask of whoever made the tree. /tmp keeps its bit."""
    if not entry.issym():
        entry.mode = entry.mode & 0o1000 | (0o755 if entry.isdir() or entry.mode & 0o100 else 0o644)
        entry.mode |= 0o777 if entry.mode & 0o1000 else 0
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


def write(file: Path, reference: str, machine: str, layers: Iterable[Layer], config: Mapping[str, Any]) -> None:
    """An archive with one image."""
    layers = list(layers)
    image = {
        "architecture": ARCHITECTURES.get(machine, machine),
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [each.content for each in layers]},
    }
    partial = file.with_suffix(".partial")
    with tarfile.open(partial, "w") as tar:
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{MEDIA}.manifest.v1+json",
            "config": _blob(tar, _json(image), f"{MEDIA}.config.v1+json"),
            "layers": [_blob(tar, each.data, f"{MEDIA}.layer.v1.tar+gzip") for each in layers],
        }
        described = _blob(tar, _json(manifest), f"{MEDIA}.manifest.v1+json")
        described["annotations"] = {"io.containerd.image.name": reference}
        _add(tar, "oci-layout", _json({"imageLayoutVersion": "1.0.0"}))
        _add(tar, "index.json", _json({"schemaVersion": 2, "manifests": [described]}))
    partial.rename(file)


def digest(file: Path) -> str:
    """The image's, as a registry would name it: the hash of its manifest."""
    with tarfile.open(file) as tar:
        index = tar.extractfile("index.json")
        assert index
        return str(json.load(index)["manifests"][0]["digest"])


def _blob(tar: tarfile.TarFile, data: bytes, media: str) -> dict[str, Any]:
    digest = _digest(data)
    _add(tar, f"blobs/{digest.replace(':', '/')}", data)
    return {"mediaType": media, "digest": digest, "size": len(data)}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    tar.addfile(entry, io.BytesIO(data))


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True).encode()
