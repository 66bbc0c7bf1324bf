"""Image archives are a function of their content, and what containerd reads in them is consistent."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

from sandbox import archive


def tree(directory: Path) -> Path:
    """A few files with times and modes of their own."""
    (directory / "bin").mkdir(parents=True)
    (directory / "bin" / "tool").write_text("#!/bin/sh\n")
    (directory / "bin" / "tool").chmod(0o755)
    (directory / "link").symlink_to("bin/tool")
    return directory


def test_the_same_content_is_the_same_layer_whenever_it_was_written(tmp_path: Path) -> None:
    """Otherwise every start would unpack the same image again."""
    first, second = tree(tmp_path / "a"), tree(tmp_path / "b")
    (second / "bin" / "tool").touch()

    assert archive.layer(first, "app") == archive.layer(second, "app")


def test_a_layer_has_no_owner_and_keeps_modes_and_links(tmp_path: Path) -> None:
    """Files owned by whoever built the image would be some user's inside."""
    made = archive.layer(tree(tmp_path / "tree"), "app")

    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(made.data))) as tar:
        entries = {e.name: (e.uid, e.mtime, oct(e.mode), e.linkname) for e in tar if not e.isdir()}
    assert entries == {
        "app/bin/tool": (0, 0, "0o755", ""),
        "app/link": (0, 0, "0o777", "bin/tool"),
    }


def test_every_blob_is_named_by_its_hash_and_the_index_leads_to_all_of_them(tmp_path: Path) -> None:
    """containerd refuses an archive in which one digest is wrong, with a message that does not say which."""
    layers = [archive.layer(tree(tmp_path / "a")), archive.layer(tree(tmp_path / "b"), "app")]
    archive.write(tmp_path / "image.tar", "localhost/x:1", "x86_64", layers, {"User": "1:1"})

    with tarfile.open(tmp_path / "image.tar") as tar:
        files = {entry.name: tar.extractfile(entry).read() for entry in tar}  # type: ignore[union-attr]
    blobs = {f"sha256:{name.rpartition('/')[2]}": data for name, data in files.items() if name.startswith("blobs/")}
    assert all(f"sha256:{hashlib.sha256(data).hexdigest()}" == digest for digest, data in blobs.items())
    (described,) = json.loads(files["index.json"])["manifests"]
    manifest = json.loads(blobs[described["digest"]])
    config = json.loads(blobs[manifest["config"]["digest"]])
    assert described["annotations"] == {"io.containerd.image.name": "localhost/x:1"}
    assert [layer["digest"] for layer in manifest["layers"]] == [
        f"sha256:{hashlib.sha256(layer.data).hexdigest()}" for layer in layers
    ]
    assert config["rootfs"]["diff_ids"] == [
        f"sha256:{hashlib.sha256(gzip.decompress(layer.data)).hexdigest()}" for layer in layers
    ]
    assert (config["architecture"], config["config"]) == ("amd64", {"User": "1:1"})
    assert {described["digest"], manifest["config"]["digest"], *(x["digest"] for x in manifest["layers"])} == set(blobs)


def test_a_kept_layer_comes_back_as_it_was(tmp_path: Path) -> None:
    """The cache is read far more often than it is filled."""
    made = archive.layer(tree(tmp_path / "tree"))

    archive.save(made, tmp_path / "layer")

    assert archive.load(tmp_path / "layer") == made
