"""The processes of a running stack, room processes included."""

from contextlib import suppress

import psutil

from roomscribe_cli.local.record import StackError, StateFolder
from roomscribe_cli.local.replicas import service_of

_ROOM_TITLE = "roomscribe: room "
_WARM = "(warm)"


def running_processes(folder: StateFolder) -> dict[str, int]:
    """Process ids by name, `room-<meeting id>` for each room. Raises StackError if no stack runs in this folder."""
    record = folder.read()
    if record is None or not folder.is_running():
        raise StackError(f"no stack is running in {folder.path}: start one with `roomscribe up --state {folder.path}`")
    processes = {name: pid for name, pid in record.processes.items() if psutil.pid_exists(pid)}
    for name, pid in list(processes.items()):
        if service_of(name) == "media-ingest":
            processes |= room_processes(pid)
    return processes


def room_processes(node: int) -> dict[str, int]:
    """The room processes under a media-ingest node, by the meeting in their title; `room-warm-<pid>` waits for one."""
    found: dict[str, int] = {}
    with suppress(psutil.NoSuchProcess):
        for process in psutil.Process(node).children(recursive=True):
            with suppress(psutil.Error):
                title = " ".join(process.cmdline())
                if title.startswith(_ROOM_TITLE):
                    meeting = title.removeprefix(_ROOM_TITLE).split()[0]
                    found[f"room-{f'warm-{process.pid}' if meeting == _WARM else meeting}"] = process.pid
    return found
