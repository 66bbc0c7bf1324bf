"""The cable between the first real node and another one.

A veth pair whose ends are made directly in the two private networks; on the machine itself it never shows. The
first node is the middle of a star and forwards between the others, as a router of a real cluster would.
"""

import subprocess
from collections.abc import Callable

from sandbox.directory import Directory
from sandbox.namespaces import Place
from sandbox.spec import address, pod_range


def lay(directory: Directory, node: int, middle: Place, outer: Place) -> None:
    """Connect the node NODE in OUTER; its address and its pods can then be reached from everywhere."""
    here, there = f"10.246.{node}.1", f"10.246.{node}.2"
    port = f"node-{node}"
    inside, outside = _within(directory, middle), _within(directory, outer)
    inside(f"link add {port} type veth peer name uplink netns {outer.pid(directory)}")
    inside(f"address add {here}/30 dev {port}")
    inside(f"link set {port} up")
    outside(f"address add {there}/30 dev uplink")
    outside("link set uplink up")
    outside(f"route add default via {here} src {address(node)}")
    inside(f"route add {pod_range(node)} via {there} src {address(1)}")


def _within(directory: Directory, place: Place) -> Callable[[str], None]:
    def ip(arguments: str) -> None:
        subprocess.run(place.command(directory, ["ip", *arguments.split()], mounts=False), check=True)

    return ip
