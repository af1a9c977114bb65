"""The machine a benchmark ran on, how busy it was, and the versions it ran with."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil
from pydantic import BaseModel
from roomscribe_common.servers import MissingServerError, ServerName, find_program

_PACKAGES = ("livekit", "livekit-api", "onnxruntime", "moonshine-voice", "nats-py", "faststream", "numpy")
_SERVERS: tuple[ServerName, ...] = ("nats", "redis", "livekit")


class Machine(BaseModel):
    """`load_before` is the load average of the last minute; `steal_percent` is of the time the benchmark took."""

    cpu: str
    cores: int
    memory_gib: float
    kernel: str
    load_before: float
    busy_percent: float
    steal_percent: float


class Watch:
    """Watches the machine from when it is made until `machine` is called."""

    def __init__(self) -> None:
        self._load = os.getloadavg()[0]
        self._began = psutil.cpu_times()

    def machine(self) -> Machine:
        """The machine, and what became of its time."""
        now = psutil.cpu_times()
        spent = {name: getattr(now, name) - getattr(self._began, name) for name in now._fields}
        # Linux counts a guest's time in `user` already.
        total = sum(value for name, value in spent.items() if not name.startswith("guest")) or 1.0
        idle, steal = spent["idle"] + spent.get("iowait", 0.0), spent.get("steal", 0.0)
        return Machine(
            cpu=_cpu_model(),
            cores=len(psutil.Process().cpu_affinity() or [])
            if hasattr(os, "sched_getaffinity")
            else os.cpu_count() or 1,
            memory_gib=round(psutil.virtual_memory().total / 2**30, 1),
            kernel=f"{platform.system()} {platform.release()}",
            load_before=round(self._load, 2),
            busy_percent=round(100 * (total - idle - steal) / total, 1),
            steal_percent=round(100 * steal / total, 1),
        )


def _cpu_model() -> str:
    about = Path("/proc/cpuinfo")
    for line in about.read_text().splitlines() if about.exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Of Python, the commit, the libraries that weigh, and the servers; what is not there is left out."""
    found = {"python": platform.python_version()}
    if commit := _commit():
        found["commit"] = commit
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    for name in _SERVERS:
        try:
            found[f"{name}-server"] = find_program(name).version
        except MissingServerError:
            continue
    return found


def _commit() -> str:
    """The commit that is checked out, `-dirty` if files but results differ from it; empty outside a clone."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", ":/", ":(top,exclude)benchmarks/results")
    except (OSError, subprocess.SubprocessError):
        return ""
    return f"{commit}-dirty" if changed else commit


def _git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10, check=True)
    return done.stdout.strip()
