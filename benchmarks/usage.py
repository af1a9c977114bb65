"""CPU time and memory of processes, as the kernel counts them."""

from collections.abc import Mapping
from contextlib import suppress

import psutil


def cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU a process has used itself."""
    times = process.cpu_times()
    return times.user + times.system


def tree_cpu_s(process: psutil.Process) -> float:
    """The same with all its descendants, those that have ended included."""
    total = 0.0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):  # it has ended since: its parent has its time
            times = each.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


class CpuWatch:
    """CPU time of processes by name, from when it is made."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        self._before = {name: cpu_s(process) for name, process in self._processes.items()}

    def used_s(self) -> dict[str, float]:
        """Seconds of CPU since, by name. Raises `psutil.NoSuchProcess` if one has ended."""
        return {name: cpu_s(process) - self._before[name] for name, process in self._processes.items()}


def memory_mb(pid: int) -> dict[str, float]:
    """Resident, proportional (shared pages divided among who shares them) and private memory, in 10⁶ bytes."""
    found = psutil.Process(pid).memory_full_info()
    return {"rss": found.rss / 1e6, "pss": found.pss / 1e6, "uss": found.uss / 1e6}
