"""Claims utterances, keeps the claims of those that get on or stand in line for a slot, and settles each item once."""

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
from roomscribe_stt_worker.domain.fairness import Owner
from roomscribe_stt_worker.engines.protocol import EngineUnavailable
from roomscribe_stt_worker.listener import Listener
from roomscribe_stt_worker.metrics import Metrics
from roomscribe_stt_worker.progress import Progress
from roomscribe_stt_worker.slots import Slots

log = logging.getLogger(__name__)

CONSUMER = "stt-worker-stt"
FETCH_S = 2.0
"""Below the time after which a lost claim is given anew: a worker that stands still would be given it again."""
BEAT_S = 1.0
SILENT_S = 20.0
AHEAD = 64
"""Items claimed while every slot is taken, so that they can be put in order; only those that no other worker asked for.
One of somebody with few is found among so many of somebody with many."""
LOOK_S = 0.25
SHARE_S = 1.0
"""How often a worker with a line asks whether another has room, and for how long it then leaves the items to it."""
STALL_S = 5.0
"""An utterance that did not get on for so long does not get on at all."""
DRAIN_S = 15.0
"""At stop, how long utterances may still take before they are given back."""
_ACK_S = 2.0
_AFTER_HANG_S = 2.0
_LONGEST_DELAY_S = 30.0
_MORE_ATTEMPTS = 8
"""Beyond those of the listener, for storing its gap: what cannot even be given up in order is dead-lettered,"""
_MOST_DELIVERIES = 10_000
"""and so is what can never be begun. Standing in line is no attempt, but each return from it is a delivery."""


class Claims:
    """The pull loop. While a slot is free it asks for one item at a time; else it looks what nobody asks for."""

    def __init__(
        self, pull: WatchedPull, listener: Listener, bus: Bus, tracer: Tracer, metrics: Metrics, slots: Slots
    ) -> None:
        self._pull = pull
        self._listener = listener
        self._bus = bus
        self._tracer = tracer
        self._metrics = metrics
        self._slots = slots
        self._running: set[asyncio.Task[None]] = set()
        self._rests_until = 0.0
        self._shares_at = 0.0
        self._sharing = False

    async def run(self) -> None:
        """Claims until drained."""
        while not self._pull.stopping:
            for message in await self._next():
                task = asyncio.create_task(self._settle(message), name="utterance")
                self._running.add(task)
                task.add_done_callback(self._done)

    async def _next(self) -> list[Msg]:
        await asyncio.sleep(max(0.0, self._rests_until - time.monotonic()))
        self._slots.left.clear()
        if len(self._running) < self._slots.count:
            with contextlib.suppress(nats.errors.TimeoutError):
                return await self._pull.fetch(1, timeout=FETCH_S)
            return []
        room = self._slots.count + AHEAD - len(self._running)
        if await self._shares():
            self._slots.send_away()
        elif room > 0 and (messages := await self._pull.fetch_waiting(room, timeout=LOOK_S)):
            return messages
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_S):
                await self._slots.left.wait()
        return []

    async def _shares(self) -> bool:
        """Whether another worker has room, so that those who stand in line here are served sooner there."""
        if time.monotonic() < self._shares_at:
            return self._sharing
        self._sharing = False
        if self._slots.waiting:
            self._shares_at = time.monotonic() + SHARE_S
            with contextlib.suppress(nats.errors.Error):
                self._sharing = bool((await self._pull.consumer_info()).num_waiting)
        return self._sharing

    async def drain(self, within_s: float = DRAIN_S) -> None:
        """Claims no more, lets utterances that are followed end for a while, and gives the rest back."""
        self._pull.stopping = True
        await self._pull.unsubscribe()
        self._slots.send_away()
        if not self._running:
            return
        _, late = await asyncio.wait(self._running, timeout=within_s)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def ping(self) -> None:
        """Raises if the work queue has not answered for long."""
        age_s = time.monotonic() - self._pull.answered_at
        if age_s > SILENT_S:
            raise ConnectionError(f"{CONSUMER}: no answer for {age_s:.0f} s")

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
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
        progress = Progress()
        try:
            async with self._kept(msg, progress), contextlib.AsyncExitStack() as slot:
                with progress.waiting():
                    await slot.enter_async_context(self._slots.taken(_owner(msg)))
                outcome = await self._listener.hear(msg, progress)
        except asyncio.CancelledError:
            await msg.nak()
            raise
        except Permanent as error:
            return await self._bury(msg, error.reason)
        except Retryable as error:
            return await self._again(msg, progress, error.reason, error.delay_s)
        except EngineUnavailable as error:
            return await self._again(msg, progress, logs.failure(error), _delay_s(progress.attempt - 1))
        except DecodeHung as error:
            # Another worker is to have it, so this one asks for nothing meanwhile.
            self._rests_until = time.monotonic() + _AFTER_HANG_S
            return await self._again(msg, progress, logs.failure(error), 0.0)
        except Exception as error:  # the boundary of one item: the others go on
            log.exception("utterance failed", extra={"attempt": progress.attempt})
            return await self._again(msg, progress, logs.failure(error), _delay_s(progress.attempt))
        await self._ack(msg)
        await self._listener.forget(msg)
        return outcome

    async def _ack(self, msg: Msg) -> None:
        try:
            await msg.ack_sync(timeout=_ACK_S)
        except nats.errors.Error as error:
            # It comes again, is found to have its result, and is acked then.
            log.warning("ack not confirmed", extra={"error": str(error)})

    async def _again(self, msg: Msg, progress: Progress, reason: str, delay_s: float) -> str:
        attempt, deliveries = progress.attempt, msg.metadata.num_delivered
        if attempt >= self._listener.max_attempts + _MORE_ATTEMPTS or deliveries >= _MOST_DELIVERIES:
            return await self._bury(msg, reason)
        log.warning("utterance given back", extra={"reason": reason, "attempt": attempt, "deliveries": deliveries})
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
        while progress.age_s < STALL_S:
            with contextlib.suppress(nats.errors.Error):
                await msg.in_progress()
            await asyncio.sleep(BEAT_S)
        log.error("claim left to lapse: the utterance does not get on")


def _delay_s(failures: int) -> float:
    """Before another attempt after so many."""
    return min(2.0 ** (failures - 1), _LONGEST_DELAY_S)


def _owner(msg: Msg) -> Owner:
    """By the subject; a malformed one is refused later."""
    _, _, _, tenant, meeting = (*msg.subject.split(".")[:5], *5 * ("",))[:5]
    return Owner(tenant, meeting)
