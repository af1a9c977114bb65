"""How long `roomscribe up` takes until everything is ready, with its servers built."""

import tempfile
import time
from pathlib import Path

import psutil
from roomscribe_cli.testing import Stacks
from roomscribe_common.servers import MissingServerError, find_program

from benchmarks.report import CouldNotRun, Findings, Goal
from benchmarks.spread import percentile
from benchmarks.usage import tree_cpu_s

RUNS = 3


def _start(stacks: Stacks, state: str) -> tuple[float, float]:
    """Seconds until ready and CPU seconds of all its processes by then, in a fresh folder."""
    began = time.monotonic()
    up = stacks.up(state).wait_ready()
    ready_s = time.monotonic() - began
    cpu_s = tree_cpu_s(psutil.Process(up.process.pid))
    up.end()
    return ready_s, cpu_s


def measure(quick: bool) -> Findings:
    """Three starts, each in a folder that has seen none."""
    try:
        find_program("livekit")
    except MissingServerError as missing:
        raise CouldNotRun(f"the servers are not built: {missing}") from missing
    with tempfile.TemporaryDirectory(prefix="roomscribe-bench-", ignore_cleanup_errors=True) as folder:
        stacks = Stacks(Path(folder))
        try:
            runs = [_start(stacks, f"run-{number}") for number in range(1 if quick else RUNS)]
        finally:
            stacks.close()
    median_s = round(percentile([ready_s for ready_s, _ in runs], 50), 2)
    return Findings(
        goals=[Goal(what="`roomscribe up` until ready, median", unit="s", value=median_s, limit=8)],
        figures={
            "ready_s": [round(ready_s, 2) for ready_s, _ in runs],
            "cpu_s_until_ready": [round(cpu_s, 2) for _, cpu_s in runs],
        },
    )
