"""What another run left on this machine: processes of a supervisor that was killed, and ports in other hands."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress

import psutil
from roomscribe_common.servers.ports import port_in_use
from roomscribe_common.servers.wait import until

from roomscribe_cli.local.record import StackError, StackRecord

_PORTS_FREE_WITHIN_S = 2.0


def end_leftovers(record: StackRecord, say: Callable[[str], None]) -> None:
    """Kill what is left of an earlier run of this stack: every process in the sessions that it recorded.

    Its supervisor's death ends its children (by the kernel's parent-death signal), but not theirs.
    """
    sessions = {pid for pid in record.processes.values() if not _is_somebody_elses(pid, record.written_at)}
    left = list(_members(sessions))
    if left:
        say(f"ending {len(left)} processes that an earlier run left behind")
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    record.processes = {}


def check_ports(record: StackRecord) -> None:
    """Raise StackError naming the ports of this stack that something else has, and who."""
    # What was killed just now lets go of its ports a moment later.
    until(lambda: not taken_ports(record), timeout_s=_PORTS_FREE_WITHIN_S, every_s=0.1)
    taken = taken_ports(record)
    if taken:
        named = ", ".join(f"{port} ({name}){_holder(port)}" for name, port in taken.items())
        raise StackError(f"ports of this stack are in use: {named}. Stop what uses them, or use another --state")


def taken_ports(record: StackRecord) -> dict[str, int]:
    """The ports of this stack that something of this machine has now, by name."""
    return {name: port for name, port in record.ports.items() if port_in_use(port)}


def _holder(port: int) -> str:
    with suppress(psutil.Error):
        for connection in psutil.net_connections("inet"):
            if connection.laddr and connection.laddr.port == port and connection.pid:
                return f" by process {connection.pid}, {psutil.Process(connection.pid).name()}"
    return ""


def _is_somebody_elses(pid: int, recorded_at: float) -> bool:
    # The number may have been given to a new process since; that one is younger than the record.
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).create_time() > recorded_at
    return False


def _members(sessions: set[int]) -> Iterator[int]:
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(pid) in sessions:
                yield pid
