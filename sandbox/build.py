"""The binaries of a real Kubernetes, built from source once per user.

There is nothing to download on a machine that reaches only package registries, and released binaries
come from hosts of their own; but Kubernetes is a Go module, and the Go module proxy is a registry. One
multi-call binary holds all components (`controlplane/main.go`), kwok is a second module because its
dependencies and Kubernetes' do not agree on versions.

The name of the built directory is made of everything that decides its content, except Go's own
version: a distribution's update of Go must not cost six minutes, and the result is the same Kubernetes.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from sandbox import cache, progress, toolchain
from sandbox.compile import Program, build
from sandbox.progress import Progress

KUBERNETES = "1.37.2"
KWOK = "0.8.0"
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
REAL_NODES = ("kubelet", "kube-proxy")
SIMULATED_NODES = ("kwok",)
SOURCES = Path(__file__).parent / "controlplane"


def _version_variables() -> tuple[tuple[str, str], ...]:
    """What `/version` and `kubectl version` say; without them every component calls itself v0.0.0-master."""
    major, minor, _ = KUBERNETES.split(".")
    values = {
        "gitVersion": f"v{KUBERNETES}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "",
        "gitTreeState": "clean",
    }
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return tuple((f"{package}.{name}", value) for package in packages for name, value in values.items())


KUBERNETES_PROGRAM = Program(f"Kubernetes {KUBERNETES}", SOURCES, definitions=_version_variables())
KWOK_PROGRAM = Program(f"kwok {KWOK}", SOURCES / "kwok", "sigs.k8s.io/kwok/cmd/kwok")
PAUSE_PROGRAM = Program("pause", SOURCES / "pause")


def binaries(told: Progress | None = None) -> Path:
    """The directory with the programs under their usual names; built first if it must be.

    Without TOLD a build shows its progress on standard error. Raises `Missing` with what to do.
    """
    return provided() or _built(key(), _build_components, told)


def pause(told: Progress | None = None) -> Path:
    """The program of a pod's first container; nobody's set of binaries has it."""
    return _built(f"pause-{digest(PAUSE_PROGRAM)}", _build_pause, told) / "pause"


def provided() -> Path | None:
    """KUBEBUILDER_ASSETS, where it has all that is needed; envtest's own sets have three programs only."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    return Path(assets).absolute() if assets and not lacking(assets) else None


def lacking(assets: str) -> list[str]:
    """The needed programs that a directory lacks; those of real nodes are needed by root on Linux only."""
    real = REAL_NODES if sys.platform == "linux" and os.geteuid() == 0 else ()
    needed = (*CONTROL_PLANE, *SIMULATED_NODES, *real)
    return [name for name in needed if not os.access(Path(assets) / name, os.X_OK)]


def key() -> str:
    """The cache's name for what the present sources give on this kind of machine."""
    return f"kubernetes-{KUBERNETES}-{digest(KUBERNETES_PROGRAM, KWOK_PROGRAM)}"


def digest(*programs: Program) -> str:
    """A short hash of all that decides what the programs are."""
    hashed = hashlib.sha256(f"{platform.system()} {platform.machine()}".encode())
    for program in programs:
        hashed.update(f"\n{program.package} {program.linker_flags}\n".encode())
        for file in sorted(
            [*program.module.glob("go.mod"), *program.module.glob("go.sum"), *program.module.glob("*.go")]
        ):
            hashed.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return hashed.hexdigest()[:12]


def _built(name: str, fill: Callable[[Path, Progress], None], told: Progress | None) -> Path:
    if (cache.directory() / name).is_dir():
        return cache.directory() / name
    if told is None:
        with progress.shown() as shown:
            return _built(name, fill, shown)
    wait = f"waiting for another build of {name}"
    return cache.obtain(name, lambda into: fill(into, told), lambda: told(wait, 0, 0))


def _build_components(into: Path, told: Progress) -> None:
    go = toolchain.find(told)
    build(go, KUBERNETES_PROGRAM, into / "controlplane", told)
    for name in (*CONTROL_PLANE, *REAL_NODES):
        (into / name).symlink_to("controlplane")
    build(go, KWOK_PROGRAM, into / "kwok", told)


def _build_pause(into: Path, told: Progress) -> None:
    build(toolchain.find(told), PAUSE_PROGRAM, into / "pause", told)
