"""Ports that are free now and that nothing will take by chance before the component listens.

Asking the kernel (port 0) gives a port from the range it also uses for outgoing connections, so another
sandbox's client may hold it a moment later. These come from below that range, and from below NodePorts.
"""

import random
import socket
from dataclasses import dataclass

FIRST, LAST = 20000, 29999


@dataclass(frozen=True)
class Ports:
    """Everything that listens on 127.0.0.1; with real nodes `api` and `prometheus` outside, too, the rest only
    inside the private namespace."""

    api: int
    etcd: int
    etcd_peer: int
    controller_manager: int
    scheduler: int
    kwok: int
    webhook: int
    webhook_metrics: int
    controller_metrics: int
    prometheus: int
    page: int


def choose() -> Ports:
    """Different free ports, in no order, so that two sandboxes starting together hardly meet."""
    chosen: list[int] = []
    for port in random.sample(range(FIRST, LAST + 1), 200):
        if _free(port):
            chosen.append(port)
        if len(chosen) == len(Ports.__dataclass_fields__):
            return Ports(*chosen)
    raise RuntimeError(f"no free ports between {FIRST} and {LAST} on 127.0.0.1")


def _free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1."""
    return socket.create_server(("127.0.0.1", port), backlog=128)
