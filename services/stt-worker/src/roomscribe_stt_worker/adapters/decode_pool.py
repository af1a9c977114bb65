"""Decode threads: finals before interims, and several at once where that is cheaper."""

import asyncio
import heapq
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from roomscribe_stt_worker.engines.protocol import Clip, Engine, Hypothesis
from roomscribe_stt_worker.metrics import Metrics

log = logging.getLogger(__name__)

QUEUED_TOO_LONG_S = 60.0
_LOOK_S = 1.0


class Kind(IntEnum):
    """What a decode is for, most urgent first."""

    FINAL = 0
    EARLY = 1
    """At a pause: most likely the final."""
    INTERIM = 2


class DecodeHung(Exception):
    """A decode did not come back in time; its thread is given up."""


@dataclass(order=True)
class _Job:
    kind: Kind
    number: int
    clip: Clip = field(compare=False)
    loop: asyncio.AbstractEventLoop = field(compare=False)
    future: "asyncio.Future[Hypothesis]" = field(compare=False)
    queued_at: float = field(compare=False)
    started_at: float | None = field(compare=False, default=None)
    thread: threading.Thread | None = field(compare=False, default=None)


class DecodePool:
    """A fixed number of daemon threads around one engine.

    A thread whose decode hangs is replaced; once as many as there were at first hang, `worn_out` is set: only a new
    process helps. Daemon threads, for one that hangs must not keep the process from exiting.
    """

    def __init__(self, engine: Engine, threads: int, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._limit = threads
        self._jobs: list[_Job] = []
        self._numbers = 0
        self._running = 0
        self._hung: set[threading.Thread] = set()
        self._closed = False
        self._changed = threading.Condition()
        self.worn_out = asyncio.Event()
        for _ in range(threads):
            self._start_thread()

    @property
    def busy(self) -> bool:
        """No thread is free for another decode."""
        return self._running + len(self._jobs) >= self._limit

    async def decode(self, clip: Clip, kind: Kind) -> Hypothesis:
        """The engine's words. Cancelling drops a decode that has not begun.

        Raises `DecodeHung`, and what the engine raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Hypothesis] = loop.create_future()
        with self._changed:
            self._numbers += 1
            job = _Job(kind, self._numbers, clip, loop, future, time.monotonic())
            heapq.heappush(self._jobs, job)
            self._changed.notify()
        try:
            while not future.done():
                await asyncio.wait([future], timeout=_LOOK_S)
                self._give_up_if_hung(job)
            return future.result()
        finally:
            future.cancel()

    def close(self) -> None:
        """Lets the threads end; decodes that wait are dropped."""
        with self._changed:
            self._closed = True
            self._jobs.clear()
            self._changed.notify_all()

    def _give_up_if_hung(self, job: _Job) -> None:
        now = time.monotonic()
        if job.future.done():
            return
        if job.started_at is None:
            if now - job.queued_at > QUEUED_TOO_LONG_S:
                raise DecodeHung(f"no decode thread came free in {QUEUED_TOO_LONG_S:g} s")
            return
        if now - job.started_at > self._engine.patience_s:
            self._abandon(job.thread)
            raise DecodeHung(f"no answer from the engine in {self._engine.patience_s:g} s")

    def _abandon(self, thread: threading.Thread | None) -> None:
        with self._changed:
            if thread is None or thread in self._hung:
                return
            self._hung.add(thread)
            self._running -= 1
        log.error("decode thread hung", extra={"hung": len(self._hung)})
        if len(self._hung) >= self._limit:
            self.worn_out.set()
        else:
            self._start_thread()

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="decode", daemon=True).start()

    def _run(self) -> None:
        me = threading.current_thread()
        while batch := self._take(me):
            self._decode(batch)
            with self._changed:
                if me in self._hung:
                    return
                self._running -= 1

    def _take(self, me: threading.Thread) -> list[_Job]:
        """The most urgent job, and with a final the other finals that may share its batch; nothing once closed."""
        with self._changed:
            while True:
                if self._closed:
                    return []
                if batch := self._batch():
                    break
                self._changed.wait()
            self._running += 1
            for job in batch:
                job.started_at, job.thread = time.monotonic(), me
            return batch

    def _batch(self) -> list[_Job]:
        batch: list[_Job] = []
        limit = 1
        while self._jobs and len(batch) < limit:
            job = self._jobs[0]
            # A clip with a draft gains as much from it as from company, and a thorough one is a batch of its own.
            alone = job.kind is not Kind.FINAL or job.clip.draft is not None or job.clip.thorough
            if batch and alone:
                break
            heapq.heappop(self._jobs)
            if job.future.done():
                continue
            batch.append(job)
            limit = 1 if alone else self._engine.batch_limit
        return batch

    def _decode(self, batch: Sequence[_Job]) -> None:
        started = time.perf_counter()
        try:
            found = self._engine.transcribe([job.clip for job in batch])
        except Exception as error:  # noqa: BLE001  # a thread's boundary: whoever waits is told
            for job in batch:
                _tell(job, error)
            return
        self._metrics.decoded(batch[0].kind.name.lower(), time.perf_counter() - started, [j.clip for j in batch])
        for job, hypothesis in zip(batch, found, strict=True):
            _tell(job, hypothesis)


def _tell(job: _Job, result: Hypothesis | Exception) -> None:
    def settle() -> None:
        if job.future.done():
            return
        if isinstance(result, Exception):
            job.future.set_exception(result)
        else:
            job.future.set_result(result)

    if not job.loop.is_closed():
        job.loop.call_soon_threadsafe(settle)
