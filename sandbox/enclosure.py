"""Runs inside fresh network and mount namespaces: makes them a machine of its own, then becomes a command.

Started by path with nothing but the standard library, because it is one process start on the way to a cluster.
Three things keep the real machine as it is. /run, /var/lib and /var/log are empty here, with only what the
sandbox itself uses of them shown again. The kernel settings that a kubelet insists on changing are covered by
plain files: it writes to those, so there is nothing to restore, whatever is killed in whichever order. And
nothing mounted here is seen outside, or outlives the last process in here.
"""

import argparse
import os
import subprocess
from pathlib import Path

HIDDEN = ("/run", "/var/lib", "/var/log")
COVERED = (
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
"""What a kubelet sets under /proc/sys; the settings of networks belong to the namespace anyway."""


def main() -> None:
    """--keep DIRECTORY… --address NODE --services RANGE --done FD COMMAND…"""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", action="append", default=[])
    parser.add_argument("--address", required=True)
    parser.add_argument("--services", required=True)
    parser.add_argument("--done", type=int, required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    # Whoever waits at the other end sees it closed by the exec, and not by an early death alone.
    os.set_inheritable(given.done, False)
    hide(given.keep)
    cover()
    connect(given.address, given.services)
    os.write(given.done, b"done")
    os.execvp(given.command[0], given.command)


def hide(keep: list[str]) -> None:
    """Empty directories over HIDDEN; what is to be kept of them is held open meanwhile and bound back."""
    kept = {path: os.open(path, os.O_PATH) for path in keep if path.startswith(tuple(f"{top}/" for top in HIDDEN))}
    for top in HIDDEN:
        # A source of its own for each: the kubelet's disk statistics take mounts with one source for one disk.
        run("mount", "-t", "tmpfs", "-o", "mode=755", f"penstock{top.replace('/', '-')}", top)
    for path, handle in kept.items():
        Path(path).mkdir(parents=True)
        # Not canonicalized: what it was is reached through the handle only, its path names the empty one by now.
        run("mount", "--no-canonicalize", "--bind", f"/proc/{os.getpid()}/fd/{handle}", path)
        os.close(handle)
    Path("/run/lock").mkdir()


def cover() -> None:
    """A file with the present value over each setting."""
    directory = Path("/run/settings")
    directory.mkdir()
    for name in COVERED:
        setting = Path("/proc/sys", name)
        if setting.exists():
            copy = directory / name.replace("/", ".")
            copy.write_text(setting.read_text())
            run("mount", "--bind", str(copy), str(setting))


def connect(address: str, services: str) -> None:
    """The node's address lies on the loopback device, so it needs no other network to exist."""
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{address}/32", "dev", "lo")
    # Any route will do: kube-proxy's rules send what is addressed to a Service elsewhere before it leaves.
    run("ip", "route", "add", services, "dev", "lo", "src", address)
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def run(*command: str) -> None:
    """Run a command that has to succeed; its own words go to the log."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
