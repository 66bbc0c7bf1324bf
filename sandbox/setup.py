"""`make setup`'s second half: everything the sandbox needs beyond Python packages.

A missing Debian package is no failure, because simulated pods need none; a missing control plane is. With `--browser`
it is about the browser alone: 26 packages for the tests of the web page, which nobody needs who only tries things.
"""

import os
import sys

from sandbox import build, packages
from sandbox.missing import Missing


def main() -> int:
    """Make what is missing and say in a few lines what there is."""
    if "--browser" in sys.argv:
        print(f"browser: {_browser()}")
        return 0
    _warn_of_useless_assets()
    try:
        print(f"control plane: {build.binaries()}")
        print(f"pods: {_pods()}")
        print(f"monitoring: {_monitoring()}")
    except Missing as missing:
        print(f"penstock: {missing}", file=sys.stderr)
        return 1
    return 0


def _pods() -> str:
    if sys.platform != "linux":
        return "simulated (real ones need Linux)"
    absent = packages.ensure()
    if absent:
        return f"simulated. {packages.advice(absent)}"
    if os.geteuid() != 0:
        return "simulated (real ones need root)"
    build.pause()
    return "real and simulated"


def _monitoring() -> str:
    absent = packages.ensure(packages.MONITORING)
    if absent:
        return (
            f"no Prometheus, so `up --prometheus` and the tests on it are left out. To have it, {packages.how(absent)}"
        )
    return "Prometheus"


def _browser() -> str:
    absent = packages.ensure(packages.BROWSER)
    if absent:
        return f"none, so the tests of the page in one are left out. To have it, {packages.how(absent)}"
    return "Chromium"


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
