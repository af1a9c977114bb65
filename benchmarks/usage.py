"""CPU time and memory of processes, as the kernel counts them."""

from collections.abc import Iterable, Mapping
from contextlib import suppress

import psutil


def cpu_s(process: psutil.Process) -> float:
    """Seconds of CPU a process has used itself."""
    times = process.cpu_times()
    return times.user + times.system


def tree(root: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    process = psutil.Process(root)
    return [process, *process.children(recursive=True)]


def tree_cpu_s(process: psutil.Process) -> float:
    """CPU of a process with all its descendants, those that have ended included."""
    total = 0.0
    for each in tree(process.pid):
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


class TreeWatch:
    """CPU time of a process and its descendants, whenever born, from when it is made."""

    def __init__(self, root: int) -> None:
        self._root = psutil.Process(root)
        self._total = tree_cpu_s(self._root)
        self._before = self._each()

    def _each(self) -> dict[int, float]:
        found: dict[int, float] = {}
        for process in tree(self._root.pid):
            with suppress(psutil.NoSuchProcess):
                found[process.pid] = cpu_s(process)
        return found

    def used_s(self) -> dict[str, float]:
        """Seconds of CPU since: `root` itself, the `busiest` of the others that live, and the `rest`, ended or not."""
        total, now = tree_cpu_s(self._root) - self._total, self._each()
        spent = {pid: seconds - self._before.get(pid, 0.0) for pid, seconds in now.items()}
        root = spent.pop(self._root.pid)
        busiest = max(spent.values(), default=0.0)
        return {"root": root, "busiest": busiest, "rest": total - root - busiest}


def memory_mb(pid: int) -> dict[str, float]:
    """Resident, proportional (shared pages divided among who shares them) and private memory, in 10⁶ bytes."""
    found = psutil.Process(pid).memory_full_info()
    return {"rss": found.rss / 1e6, "pss": found.pss / 1e6, "uss": found.uss / 1e6}


def pss_mb(pids: Iterable[int]) -> float:
    """Proportional memory of all of these that live, in 10⁶ bytes."""
    total = 0.0
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            total += memory_mb(pid)["pss"]
    return total
