"""What real nodes and monitoring need from the distribution, got without changing what the machine runs.

Installing Debian's containerd (or Prometheus) also starts it and starts it again at every boot, which nobody who
typed `make setup` asked for; the sandbox runs its own. What is needed is looked for by program, not by package
name: with Docker's own packages there is a `containerd` already, and Debian's would replace it.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Searched besides PATH: an ordinary user's PATH on Debian has no sbin directories."""

CNI_DIRECTORIES = ("/usr/lib/cni", "/opt/cni/bin")

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "containerd": ("containerd", "containerd-shim-runc-v2", "ctr"),
    "runc": ("runc",),
    "containernetworking-plugins": ("bridge", "host-local", "loopback", "portmap"),
    "iptables": ("iptables",),
    "nftables": ("nft",),
    "iproute2": ("ip",),
    "conntrack": ("conntrack",),
    "util-linux": ("unshare", "nsenter", "mount"),
}
"""Debian's package and the programs that are used of it."""

MONITORING: Mapping[str, tuple[str, ...]] = {"prometheus": ("prometheus",)}
"""The same for `up --prometheus`; everything else does without."""

BROWSER: Mapping[str, tuple[str, ...]] = {"chromium": ("chromium",), "chromium-driver": ("chromedriver",)}
"""The same for the tests of the web page and its pictures."""

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_TEXT = """#!/bin/sh
# penstock's `make setup` was here; while it runs, no service is started.
kill -0 {pid} 2>/dev/null && exit 101
exit 0
"""


def missing(wanted: Mapping[str, tuple[str, ...]] = PACKAGES) -> list[str]:
    """The Debian packages real nodes (or what is WANTED) would need and whose programs are not here."""
    return [package for package, programs in wanted.items() if not all(map(program, programs))]


def program(name: str) -> str | None:
    """Where a program or CNI plugin of a package is."""
    path = [os.environ.get("PATH", ""), SYSTEM_PATH, *CNI_DIRECTORIES]
    return shutil.which(name, path=":".join(path))


def ensure(wanted: Mapping[str, tuple[str, ...]] = PACKAGES) -> list[str]:
    """Install what is missing where that can be done; the packages that are missing even so."""
    absent = missing(wanted)
    if absent and installable():
        _install(absent)
        return missing(wanted)
    return absent


def installable() -> bool:
    """Only root on Debian or a descendant of it; nobody is asked for a password."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


def advice(absent: list[str]) -> str:
    """What to tell someone whose machine lacks packages for real pods."""
    return f"Real pods need more than is here; simulated pods work. To have them, {how(absent)}"


def how(absent: list[str]) -> str:
    """How a person installs packages."""
    if shutil.which("apt-get"):
        return f"as root: apt-get install --no-install-recommends {' '.join(absent)}"
    return f"install your distribution's packages for what Debian calls {', '.join(absent)}"


def _install(packages: list[str]) -> None:
    print(f"installing Debian packages: {' '.join(packages)}", file=sys.stderr, flush=True)
    with _services_held():
        _apt("update")
        # --no-remove: rather no real pods than somebody's docker.io uninstalled for them.
        _apt("install", "--yes", "--no-install-recommends", "--no-remove", *packages)
        for package in {"containerd", "prometheus"}.intersection(packages):
            _disable(f"{package}.service")


def _apt(*arguments: str) -> None:
    """apt-get without questions; its words are shown only if it fails, and the caller looks at the result."""
    silent = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_SUSPEND": "1", "LC_ALL": "C.UTF-8"}
    command = ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=300", *arguments]
    done = subprocess.run(
        command,
        env=os.environ | silent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(f"{' '.join(command)} failed:\n{done.stdout[-2000:].rstrip()}", file=sys.stderr, flush=True)


def _disable(unit: str) -> None:
    """Not at the next boot either: Debian enables what it installs, even where systemd is not (yet)."""
    if systemctl := shutil.which("systemctl"):
        running = Path("/run/systemd/system").exists()
        subprocess.run([systemctl, "disable", "--quiet", *(["--now"] if running else []), unit], check=False)
    else:
        Path("/etc/systemd/system/multi-user.target.wants", unit).unlink(missing_ok=True)


@contextmanager
def _services_held() -> Iterator[None]:
    """Debian's own switch (invoke-rc.d(8)): exit status 101 of policy-rc.d forbids to start a service.

    An existing policy of the administrator is left in force. Ours asks whether its author still lives, so
    that a killed set-up leaves a file behind that forbids nothing.
    """
    with open("/run/lock/penstock-packages", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another checkout may be installing the same
        if POLICY.exists() and "penstock" not in POLICY.read_text(errors="replace"):
            yield
            return
        try:
            POLICY.write_text(POLICY_TEXT.format(pid=os.getpid()))
            POLICY.chmod(0o755)
            yield
        finally:
            POLICY.unlink(missing_ok=True)
