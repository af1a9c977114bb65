"""Claims utterances while slots are free, keeps the claims of those that get on, and settles each item once."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator

import nats.errors
from nats.aio.msg import Msg
from opentelemetry.trace import Tracer
from roomscribe_common import deadletter, logs, telemetry
from roomscribe_common.bus import Bus
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.pull import WatchedPull

from roomscribe_stt_worker.adapters.decode_pool import DecodeHung
from roomscribe_stt_worker.engines.protocol import EngineUnavailable
from roomscribe_stt_worker.listener import Listener
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.session import Progress, age_s

log = logging.getLogger(__name__)

CONSUMER = "stt-worker-stt"
FETCH_S = 5.0
BEAT_S = 1.0
DRAIN_S = 15.0
"""At stop, how long utterances may still take before they are given back."""
_ACK_S = 2.0
_AFTER_HANG_S = 2.0
_LONGEST_DELAY_S = 30.0
_MORE_ATTEMPTS = 8
"""Beyond those of the listener, for storing its gap: what cannot even be given up in order is dead-lettered."""


class Claims:
    """The pull loop. One request for one item at a time, and only while a slot is free."""

    def __init__(
        self, pull: WatchedPull, listener: Listener, bus: Bus, tracer: Tracer, metrics: Metrics, slots: int
    ) -> None:
        self._pull = pull
        self._listener = listener
        self._bus = bus
        self._tracer = tracer
        self._metrics = metrics
        self._free = asyncio.Semaphore(slots)
        self._running: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """Slots taken."""
        return len(self._running)

    async def run(self) -> None:
        """Claims until drained."""
        while not self._pull.stopping:
            await self._free.acquire()
            try:
                messages = await self._pull.fetch(1, timeout=FETCH_S)
            except nats.errors.TimeoutError:
                self._free.release()
                continue
            task = asyncio.create_task(self._settle(messages[0]), name="utterance")
            self._running.add(task)
            task.add_done_callback(self._done)

    async def drain(self) -> None:
        """Claims no more, lets running utterances end for a while, then gives the rest back."""
        self._pull.stopping = True
        await self._pull.unsubscribe()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=DRAIN_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def ping(self) -> None:
        """Raises if the work queue has not answered for long; while every slot is taken nobody asks it."""
        age_s = time.monotonic() - self._pull.answered_at
        if age_s > 4 * FETCH_S and not self._free.locked():
            raise ConnectionError(f"{CONSUMER}: no answer for {age_s:.0f} s")

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        self._free.release()
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("item not settled", extra={"error": logs.failure(error)})

    async def _settle(self, msg: Msg) -> None:
        parts = msg.subject.split(".")
        with (
            telemetry.processing(self._tracer, msg.subject, msg.headers),
            logs.bound(tenant=parts[3] if len(parts) > 3 else None, meeting=parts[4] if len(parts) > 4 else None),
        ):
            self._metrics.ended(await self._outcome(msg))

    async def _outcome(self, msg: Msg) -> str:
        deliveries = msg.metadata.num_delivered
        if deliveries == 1:
            self._metrics.claimed(age_s(msg))
        try:
            progress = Progress()
            async with self._kept(msg, progress):
                outcome = await self._listener.hear(msg, progress)
        except asyncio.CancelledError:
            await msg.nak()
            raise
        except Permanent as error:
            return await self._bury(msg, error.reason)
        except Retryable as error:
            return await self._again(msg, error.reason, error.delay_s)
        except EngineUnavailable as error:
            return await self._again(msg, logs.failure(error), min(2.0 ** (deliveries - 2), _LONGEST_DELAY_S))
        except DecodeHung as error:
            outcome = await self._again(msg, logs.failure(error), 0.0)
            # Another worker is to have it, so this slot asks for nothing meanwhile.
            await asyncio.sleep(_AFTER_HANG_S)
            return outcome
        except Exception as error:  # the boundary of one item: the others go on
            log.exception("utterance failed", extra={"deliveries": deliveries})
            return await self._again(msg, logs.failure(error), min(2.0 ** (deliveries - 1), _LONGEST_DELAY_S))
        await self._ack(msg)
        await self._listener.forget(msg)
        return outcome

    async def _ack(self, msg: Msg) -> None:
        try:
            await msg.ack_sync(timeout=_ACK_S)
        except nats.errors.Error as error:
            # It comes again, is found to have its result, and is acked then.
            log.warning("ack not confirmed", extra={"error": str(error)})

    async def _again(self, msg: Msg, reason: str, delay_s: float) -> str:
        if msg.metadata.num_delivered >= self._listener.max_attempts + _MORE_ATTEMPTS:
            return await self._bury(msg, reason)
        log.warning("utterance given back", extra={"reason": reason, "deliveries": msg.metadata.num_delivered})
        await msg.nak(delay=delay_s)
        return "again"

    async def _bury(self, msg: Msg, reason: str) -> str:
        try:
            await deadletter.bury(self._bus, deadletter.of_delivery(msg, self._bus.service, reason))
        except (Retryable, Permanent):
            log.exception("dead letter could not be stored")
            await msg.nak(delay=_LONGEST_DELAY_S)
            return "again"
        log.error("item dead-lettered")
        await msg.term()
        return "dead"

    @contextlib.asynccontextmanager
    async def _kept(self, msg: Msg, progress: Progress) -> AsyncGenerator[None]:
        """Extends the claim while the utterance gets on, from a task no decode can hold up."""
        beating = asyncio.create_task(self._beat(msg, progress), name="claim")
        try:
            yield
        finally:
            beating.cancel()
            await asyncio.wait([beating])

    async def _beat(self, msg: Msg, progress: Progress) -> None:
        while progress.age_s < self._listener.stall_s:
            with contextlib.suppress(nats.errors.Error):
                await msg.in_progress()
            await asyncio.sleep(BEAT_S)
        log.error("claim left to lapse: the utterance does not get on")
