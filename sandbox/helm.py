"""Helm 3 and 4, built from source for the tests that ask what `helm upgrade --wait` says of a held release.

Two versions, because they wait by different rules: 3 has its own and takes a paused Deployment for a ready one, 4 uses
kstatus, as Flux does. Not part of `binaries()`: nobody needs them to run the sandbox, and they take minutes to build.
"""

from pathlib import Path

from sandbox import build, cache, compile, progress, toolchain
from sandbox.compile import Program
from sandbox.progress import Progress

NAME = "helm"
VERSIONS = {3: "3.22.0", 4: "4.3.1"}


def _program(major: int) -> Program:
    internal = "helm.sh/helm/v3/internal/version" if major == 3 else "helm.sh/helm/v4/internal/version"
    definitions = ((f"{internal}.version", f"v{VERSIONS[major]}"),)
    title, module = f"Helm {VERSIONS[major]}", build.SOURCES / f"helm{major}"
    return Program(title, module, f"helm.sh/helm/v{major}/cmd/helm", definitions)


def helm(major: int) -> Path:
    """The program; built first if it must be. Raises `Missing` with what to do."""
    program = _program(major)
    name = f"helm-{VERSIONS[major]}-{build.digest(program)}"

    with progress.shown() as told:
        waiting = f"waiting for another build of {name}"
        place = cache.obtain(name, lambda into: _fill(into, program, told), lambda: told(waiting, 0, 0))
    return place / NAME


def _fill(into: Path, program: Program, told: Progress) -> None:
    compile.build(toolchain.find(told), program, into / NAME, told)
