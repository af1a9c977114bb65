"""How much of the speech model's speed is left when it is fed from a full queue: 1, 2 and 4 workers of one thread."""

import asyncio
import itertools
from contextlib import AsyncExitStack
from dataclasses import dataclass

from pydantic import JsonValue
from roomscribe_cli.demo.script import Script, clip
from roomscribe_common.contracts.stt import SttFinal

from benchmarks.bare_engine import Decoded, Order
from benchmarks.buslog import BusLog, Timed
from benchmarks.report import Findings, Goal
from benchmarks.spread import percentile
from benchmarks.talk import Talk, talk
from benchmarks.usage import CpuWatch
from benchmarks.work_queue import Queue, own_queue, worker

COUNTS = (1, 2, 4)
ROUNDS = 3
_BARE_S = 5.0
_POOL_S = 7.0
_LEFT_OUT = 0.1
"""Of the finals, at either end, where not every worker may be at work."""
_WITHIN_S = 120.0
_RATE = 16_000


@dataclass(frozen=True)
class Round:
    """Seconds of audio a second, and CPU seconds for a second of audio, of the bare engine and of the workers."""

    bare: Decoded
    pool: Decoded
    nats_cpu_s_per_audio_s: float

    @property
    def share(self) -> float:
        """How much of the bare engine's speed the workers have."""
        return self.pool.audio_s_per_s / self.bare.audio_s_per_s


def throughput(finals: list[tuple[float, float]], left_out: float = _LEFT_OUT) -> float:
    """Seconds of audio a second, from (when, seconds of audio) of each final, without the first and the last ones.

    Raises `ValueError` if too few are left.
    """
    ordered = sorted(finals)
    skipped = max(1, round(len(ordered) * left_out))
    kept = ordered[skipped : len(ordered) - skipped]
    if not kept:
        raise ValueError("too few finals to tell a throughput")
    return sum(audio_s for _, audio_s in kept) / (kept[-1][0] - ordered[skipped - 1][0])


class Pool:
    """Rounds of the bare engine and of the workers, one after the other, so that both have the same machine."""

    def __init__(self, queue: Queue, log: BusLog, bare: Talk[Decoded]) -> None:
        self._queue, self._log, self._bare = queue, log, bare
        self._clips = [clip(line.file, _RATE) for line in Script.load().lines]

    async def round(self, pids: list[int], bare_s: float, pool_s: float) -> Round:
        """One of each; `pids` are the workers'."""
        await self._bare.say(Order(threads=len(pids), seconds=bare_s))
        bare = await self._bare.until(lambda _: True, _WITHIN_S)
        wanted_s = bare.audio_s_per_s * pool_s
        chosen, seconds = list[int](), 0.0
        for number in itertools.cycle(range(len(self._clips))):
            if seconds > wanted_s and len(chosen) >= 4 * len(pids):
                break
            chosen.append(number)
            seconds += len(self._clips[number]) / _RATE
        self._log.forget()
        utterances = await self._queue.store_audio([self._clips[number] for number in chosen])
        lengths = {u.utterance.utterance_id: u.samples / _RATE for u in utterances}
        await self._queue.workers_wait(len(pids))
        watch = CpuWatch({str(pid): pid for pid in pids})
        nats = CpuWatch({"nats": self._queue.nats_pid})
        await self._queue.open(utterances)
        finals = await self._log.until_count(SttFinal, len(utterances), _WITHIN_S)
        return Round(
            bare,
            Decoded(
                audio_s_per_s=throughput([(final.at, lengths[_id(final)]) for final in finals]),
                cpu_s_per_audio_s=sum(watch.used_s().values()) / seconds,
            ),
            nats.used_s()["nats"] / seconds,
        )


def _id(final: Timed[SttFinal]) -> str:
    return final.event.data.utterance.utterance_id


async def _measure(counts: tuple[int, ...], rounds: int, bare_s: float, pool_s: float) -> dict[int, list[Round]]:
    found: dict[int, list[Round]] = {}
    async with AsyncExitStack() as ends:
        queue = await ends.enter_async_context(own_queue())
        bare = await ends.enter_async_context(talk("benchmarks.bare_engine", Decoded))
        log = BusLog(queue.nc)
        await log.listen(SttFinal)
        pool, pids = Pool(queue, log, bare), list[int]()
        for count in counts:
            while len(pids) < count:
                pids.append(await ends.enter_async_context(worker(queue, threads=1)))
            await queue.workers_wait(count)
            found[count] = [await pool.round(pids, bare_s, pool_s) for _ in range(rounds)]
    return found


def _median(values: list[float]) -> float:
    return round(percentile(values, 50), 4)


def _figures(rounds: list[Round]) -> dict[str, JsonValue]:
    return {
        "audio_s_per_s": _median([each.pool.audio_s_per_s for each in rounds]),
        "audio_s_per_s_bare": _median([each.bare.audio_s_per_s for each in rounds]),
        "share_of_bare": [round(each.share, 3) for each in rounds],
        "cpu_s_per_audio_s": _median([each.pool.cpu_s_per_audio_s for each in rounds]),
        "cpu_s_per_audio_s_bare": _median([each.bare.cpu_s_per_audio_s for each in rounds]),
        "share_of_bare_by_cpu": _median([each.bare.cpu_s_per_audio_s / each.pool.cpu_s_per_audio_s for each in rounds]),
        "nats_cpu_s_per_audio_s": _median([each.nats_cpu_s_per_audio_s for each in rounds]),
    }


def measure(quick: bool) -> Findings:
    """Three rounds each; the goal is for the median round."""
    found = asyncio.run(_measure((1, 2), 1, 1.0, 2.0) if quick else _measure(COUNTS, ROUNDS, _BARE_S, _POOL_S))
    return Findings(
        goals=[
            Goal(
                what=f"audio throughput of {count} worker{'s' * (count > 1)}, of the bare engine's on as many threads",
                unit="%",
                value=round(100 * _median([each.share for each in rounds]), 1),
                limit=95,
                wanted="at least",
                bare=100,
            )
            for count, rounds in found.items()
        ],
        figures={f"{count}_workers": _figures(rounds) for count, rounds in found.items()},
    )
