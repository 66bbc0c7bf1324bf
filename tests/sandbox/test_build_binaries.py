"""What is built, under which name, and that it says the version it was built from."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from sandbox import build

EVERY = (*build.CONTROL_PLANE, *build.REAL_NODES, *build.SIMULATED_NODES)


@pytest.mark.cluster
def test_every_component_says_the_release_it_was_built_from() -> None:
    """Built as a mere module, Kubernetes calls itself v0.0.0-master, and clients then refuse features."""
    directory = build.binaries()

    said = {}
    for name in EVERY:
        arguments = ["version", "--client"] if name == "kubectl" else ["--version"]
        done = subprocess.run([directory / name, *arguments], capture_output=True, text=True, timeout=30)
        said[name] = next(iter(re.findall(r"v?\d+\.\d+\.\d+", done.stdout + done.stderr)), done.stderr)

    assert said == dict.fromkeys(EVERY, f"v{build.KUBERNETES}") | {"etcd": "3.7.0", "kwok": f"v{build.KWOK}"}


def test_the_module_files_name_the_releases_that_the_code_names() -> None:
    """The version is stamped from a constant; a go.mod that moved on alone would make it a lie."""
    main = (build.SOURCES / "go.mod").read_text()
    staging = set(re.findall(r"k8s\.io/[\w-]+ => k8s\.io/[\w-]+ (\S+)", main))
    required = re.findall(r"^\tk8s\.io/kubernetes (\S+)", main, re.MULTILINE)
    kwok = re.findall(r"sigs\.k8s\.io/kwok (\S+)", (build.SOURCES / "kwok" / "go.mod").read_text())

    assert (required, staging, kwok) == (
        [f"v{build.KUBERNETES}"],
        {f"v0.{build.KUBERNETES.partition('.')[2]}"},
        [f"v{build.KWOK}"],
    )


@pytest.mark.parametrize("changed", ["go.mod", "go.sum", "main.go"])
def test_any_changed_source_is_another_build(changed: str, tmp_path: Path) -> None:
    """The cache has no other way to know that what it holds is out of date."""
    moved = replace(build.KUBERNETES_PROGRAM, module=shutil.copytree(build.SOURCES, tmp_path / "sources"))
    before = build.digest(moved)

    with open(moved.module / changed, "a") as file:
        file.write("\n")

    assert before == build.digest(build.KUBERNETES_PROGRAM)
    assert build.digest(moved) != before


def test_another_version_is_another_build() -> None:
    """The version is in the linker's flags only, not in any file that is hashed."""
    other = replace(build.KUBERNETES_PROGRAM, definitions=())

    assert build.digest(other) != build.digest(build.KUBERNETES_PROGRAM)


def programs(directory: Path, names: tuple[str, ...]) -> Path:
    """A directory with executables of these names."""
    for name in names:
        (directory / name).touch(mode=0o755)
    return directory


def test_complete_assets_are_used_instead_of_a_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone who has the binaries already should not wait for a compiler."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs(tmp_path, EVERY)))

    assert build.binaries() == tmp_path


def test_assets_as_envtest_has_them_are_not_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a controller manager no Deployment moves; the cluster would start and then do nothing."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(programs(tmp_path, ("etcd", "kube-apiserver", "kubectl"))))

    assert build.provided() is None
    assert build.lacking(str(tmp_path))[:3] == ["kube-controller-manager", "kube-scheduler", "kwok"]
