"""`make setup`'s second half: everything the sandbox needs beyond Python packages.

A missing Debian package is no failure, because simulated pods need none; a missing control plane is.
"""

import os
import sys

from sandbox import build, packages
from sandbox.missing import Missing


def main() -> int:
    """Make what is missing and say in a few lines what there is."""
    _warn_of_useless_assets()
    try:
        directory = build.binaries()
    except Missing as missing:
        print(f"penstock: {missing}", file=sys.stderr)
        return 1
    print(f"control plane: {directory}")
    if sys.platform == "linux":
        print(f"pods: {_pods()}")
    return 0


def _pods() -> str:
    absent = packages.ensure()
    if absent:
        return f"simulated. {packages.advice(absent)}"
    return "real and simulated" if os.geteuid() == 0 else "simulated (real ones need root)"


def _warn_of_useless_assets() -> None:
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and build.provided() is None:
        lacking = ", ".join(build.lacking(assets))
        print(f"KUBEBUILDER_ASSETS={assets} is not used: it has no {lacking}", file=sys.stderr)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
