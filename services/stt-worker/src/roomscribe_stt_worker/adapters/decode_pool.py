"""Decode threads: words that stay before interims, everybody's in turn, and many at once when they fall behind."""

import asyncio
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum

from roomscribe_stt_worker.domain.fairness import FairQueue, Owner
from roomscribe_stt_worker.engines.protocol import Clip, Engine, Hypothesis
from roomscribe_stt_worker.metrics import Metrics

log = logging.getLogger(__name__)

BEHIND_S = 30.0
"""Audio that waits for a thread, in seconds for each. Words decoded thoroughly have fewer errors (two in a hundred),
and take twice the time; with so much waiting finals are some seconds late, and time is worth more."""
TOGETHER = 4
"""Clips decoded at once then: more gain little, and keep others waiting."""
_LOOK_S = 1.0
_SPINNING_S = 30.0
"""CPU time no decode of an utterance takes."""


class Kind(IntEnum):
    """What a decode is for, most urgent first."""

    FINAL = 0
    EARLY = 1
    """At a pause: most likely the final."""
    INTERIM = 2


class DecodeHung(Exception):
    """A decode did not come back in time; its thread is given up."""


@dataclass(eq=False)
class _Job:
    kind: Kind
    number: int
    owner: Owner
    clip: Clip
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Hypothesis]"


@dataclass(eq=False)
class _Running:
    """A batch in a thread, and what the last looks at it showed."""

    jobs: Sequence[_Job]
    thread: threading.Thread
    cpu_s: float = 0.0
    began_cpu_s: float = 0.0
    idle_looks: int = 0


@dataclass
class _Queues:
    """Interims are decoded when nothing else is to do."""

    stays: FairQueue[_Job] = field(default_factory=lambda: _queue())
    passing: FairQueue[_Job] = field(default_factory=lambda: _queue())

    def of(self, kind: Kind) -> FairQueue[_Job]:
        """The queue of a kind."""
        return self.passing if kind is Kind.INTERIM else self.stays


class DecodePool:
    """A fixed number of daemon threads around one engine; `watch` must run beside it.

    A thread whose decode hangs is replaced; when as many hung as there were at first, only a new process helps. Daemon
    threads, for one that hangs must not keep the process from exiting.
    """

    def __init__(self, engine: Engine, threads: int, metrics: Metrics) -> None:
        self._engine = engine
        self._metrics = metrics
        self._limit = threads
        self._queues = _Queues()
        self._waiting_s = 0.0
        self._numbers = 0
        self._running: list[_Running] = []
        self._hung: set[threading.Thread] = set()
        self._closed = False
        self._changed = threading.Condition()
        for _ in range(threads):
            self._start_thread()

    @property
    def busy(self) -> bool:
        """No thread is free for another decode."""
        return len(self._running) + self.waiting >= self._limit

    @property
    def waiting(self) -> int:
        """Decodes no thread has begun."""
        return len(self._queues.stays) + len(self._queues.passing)

    @property
    def late(self) -> bool:
        """Words that stay are waiting for a thread."""
        return len(self._queues.stays) > 0

    @property
    def behind(self) -> bool:
        """So many of them that speed counts more than the last few errors."""
        return self._waiting_s > BEHIND_S * self._limit

    @property
    def worn_out(self) -> bool:
        """As many threads hang as there were."""
        return len(self._hung) >= self._limit

    async def decode(self, clip: Clip, kind: Kind, owner: Owner) -> Hypothesis:
        """The engine's words. Cancelling drops a decode that has not begun.

        Raises `DecodeHung`, and what the engine raises.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Hypothesis] = loop.create_future()
        with self._changed:
            self._numbers += 1
            self._queues.of(kind).push(_Job(kind, self._numbers, owner, clip, loop, future))
            if kind is not Kind.INTERIM:
                self._waiting_s += clip.duration_s
            self._changed.notify()
        return await future

    async def watch(self) -> None:
        """Looks after the threads. Raises `RuntimeError` once all hung."""
        while not self.worn_out:
            await asyncio.sleep(_LOOK_S)
            with self._changed:  # so that no thread ends while it is looked at
                hung = [running for running in self._running if self._hangs(running)]
                for running in hung:
                    self._running.remove(running)
                    self._hung.add(running.thread)
            for running in hung:
                self._replace(running)
        raise RuntimeError("every decode thread hung; only a new process helps")

    def close(self) -> None:
        """Lets the threads end; decodes that wait are dropped."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _hangs(self, running: _Running) -> bool:
        """By its CPU time: on a busy machine a decode may take long, but it gets on. What stops us stops our looks."""
        cpu_s = _cpu_s(running.thread)
        running.idle_looks = running.idle_looks + 1 if cpu_s == running.cpu_s else 0
        running.cpu_s = cpu_s
        return running.idle_looks * _LOOK_S >= self._engine.patience_s or cpu_s - running.began_cpu_s > _SPINNING_S

    def _replace(self, hung: _Running) -> None:
        log.error("decode thread hung", extra={"hung": len(self._hung)})
        for job in hung.jobs:
            _tell(job, DecodeHung("no answer from the engine"))
        if not self.worn_out:
            self._start_thread()

    def _start_thread(self) -> None:
        threading.Thread(target=self._run, name="decode", daemon=True).start()

    def _run(self) -> None:
        while (running := self._take()) is not None:
            self._decode(running.jobs)
            with self._changed:
                if running not in self._running:
                    self._hung.discard(running.thread)  # it was slow, and another thread has its place
                    return
                self._running.remove(running)

    def _take(self) -> _Running | None:
        """What is next; None once closed."""
        me = threading.current_thread()
        with self._changed:
            while not self._closed:
                if jobs := self._batch():
                    cpu_s = time.thread_time()
                    running = _Running(jobs, me, cpu_s, cpu_s)
                    self._running.append(running)
                    return running
                self._changed.wait()
            return None

    def _batch(self) -> list[_Job]:
        if not self.behind:
            job = self._pop(self._queues.stays) or self._pop(self._queues.passing)
            return [job] if job else []
        limit = min(TOGETHER, self._engine.batch_limit)
        jobs = [job for _ in range(limit) if (job := self._pop(self._queues.stays))]
        for job in jobs:
            # Company saves as much as a draft does, and these words stay.
            job.clip = replace(job.clip, thorough=False, draft=None)
        return jobs

    def _pop(self, queue: FairQueue[_Job]) -> _Job | None:
        while queue:
            job = queue.pop(_cost_s)
            if job.kind is not Kind.INTERIM:
                self._waiting_s -= job.clip.duration_s
            if not job.future.done():
                return job
        return None

    def _decode(self, jobs: Sequence[_Job]) -> None:
        started = time.perf_counter()
        try:
            found = self._engine.transcribe([job.clip for job in jobs])
        except Exception as error:  # noqa: BLE001  # a thread's boundary: whoever waits is told
            for job in jobs:
                _tell(job, error)
            return
        self._metrics.decoded(jobs[0].kind.name.lower(), time.perf_counter() - started, [job.clip for job in jobs])
        for job, hypothesis in zip(jobs, found, strict=True):
            _tell(job, hypothesis)


def _queue() -> FairQueue[_Job]:
    return FairQueue(lambda job: job.owner, lambda job: (job.kind, job.number))


def _cost_s(job: _Job) -> float:
    return 0.0 if job.future.done() else job.clip.duration_s


def _cpu_s(thread: threading.Thread) -> float:
    assert thread.ident is not None
    return time.clock_gettime(time.pthread_getcpuclockid(thread.ident))


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
