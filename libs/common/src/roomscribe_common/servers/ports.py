"""Ports of this machine: free ones, and whether one is taken."""

import random
import socket
from contextlib import ExitStack

LOOPBACK = "127.0.0.1"
# Below where the kernel takes the ports of outgoing connections (32768 on Linux, 49152 elsewhere): a client that
# reconnects to a dead server's port would else now and then be given that very port, and keep the server from it.
_RANGE = range(15_000, 32_000)
_MOST_TRIES = 500


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that are free for TCP and UDP at this moment; raises OSError if there are none."""
    with ExitStack() as held:
        found: list[int] = []
        for port in random.sample(_RANGE, _MOST_TRIES):
            if len(found) == count:
                return found
            if _hold(port, held):
                found.append(port)
    raise OSError(f"no {count} free ports between {_RANGE.start} and {_RANGE.stop}")


def port_in_use(port: int) -> bool:
    """Tell whether something of this machine has this port, for TCP or UDP."""
    with ExitStack() as held:
        return not _hold(port, held)


def _hold(port: int, held: ExitStack) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        probe = held.enter_context(socket.socket(socket.AF_INET, kind))
        if kind is socket.SOCK_STREAM:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # ports of ended connections are free
        try:
            probe.bind(("", port))
        except OSError:
            return False
    return True
