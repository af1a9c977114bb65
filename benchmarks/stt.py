"""How fast the embedded engine is on the demonstration's lines, and what batches and drafts change.

Real-time factors are seconds of audio per second of one thread's CPU time, so other load hardly changes them.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
from roomscribe_cli.demo.script import Script, clip
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ, Clip

from benchmarks.report import Findings, Goal

ROUNDS = 5
BATCHED_S = 4


def _clips() -> dict[str, Clip]:
    files = [line.file for line in Script.load().lines]
    return {file: Clip(clip(file, SAMPLE_RATE_HZ).astype(np.float32) / np.float32(32768)) for file in files}


def _median_cpu_s(call: Callable[[], object], rounds: int) -> float:
    """CPU seconds of one call on this thread, the median of `rounds` after one that is not counted."""
    call()
    taken: list[float] = []
    for _ in range(rounds):
        began = time.thread_time()
        call()
        taken.append(time.thread_time() - began)
    return statistics.median(taken)


def measure(quick: bool) -> Findings:
    """Each line by itself, then again with a draft, then four seconds of each in batches."""
    rounds = 1 if quick else ROUNDS
    engine, spoken = Moonshine(), _clips()

    def cpu_s(*clips: Clip) -> float:
        return _median_cpu_s(lambda: engine.transcribe(clips), rounds)

    audio_s = sum(each.duration_s for each in spoken.values())
    singles = {name: cpu_s(each) for name, each in spoken.items()}
    drafts = {name: engine.transcribe([each])[0] for name, each in spoken.items()}
    drafted = sum(cpu_s(Clip(each.samples, draft=drafts[name])) for name, each in spoken.items())
    voices = [Clip(np.resize(each.samples, BATCHED_S * SAMPLE_RATE_HZ)) for each in spoken.values()]
    batches = {size: cpu_s(*(voices[n % len(voices)] for n in range(size))) / size for size in (1, 2, 4, 8)}
    factor = round(audio_s / sum(singles.values()), 1)
    return Findings(
        goals=[Goal(what="speech to text, a core", unit="× real time", value=factor, limit=30, wanted="at least")],
        figures={
            "engine": f"{engine.provider} {engine.model}",
            "real_time_factor": factor,
            "real_time_factor_with_draft": round(audio_s / drafted, 1),
            "cpu_s_per_line": {name: round(value, 3) for name, value in singles.items()},
            "audio_s_per_line": {name: round(each.duration_s, 2) for name, each in spoken.items()},
            f"batched_real_time_factor_of_{BATCHED_S}_s": {
                str(size): round(BATCHED_S / value, 1) for size, value in batches.items()
            },
        },
    )
