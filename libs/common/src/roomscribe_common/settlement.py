"""What becomes of a message once its handler is done: ack, later again, or dead letter. Never silence."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, cast

from faststream.message import StreamMessage
from faststream.middlewares import BaseMiddleware
from nats.aio.msg import Msg
from opentelemetry.metrics import Meter
from opentelemetry.trace import Tracer

from roomscribe_common import deadletter, logs, telemetry
from roomscribe_common.bus import Bus
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.streams import CONSUMER, ConsumerSpec

log = logging.getLogger(__name__)

CallNext = Callable[[Any], Awaitable[Any]]

MAX_UNEXPECTED = 5
"""Deliveries after which an error nobody foresaw is taken for a fault in the message or the code, not the weather."""
_LONGEST_DELAY_S = 30.0


class Settlement:
    """Settles every delivery of this process's consumers."""

    def __init__(self, bus: Bus, tracer: Tracer, meter: Meter) -> None:
        self._bus = bus
        self._tracer = tracer
        self._seconds = meter.create_histogram("roomscribe_handler", unit="s", description="Time in handlers")

    def middleware(self, msg: Any, /, *, context: Any) -> "_Middleware":
        """FastStream asks for one per message."""
        return _Middleware(msg, context=context, settle=self.settle)

    async def settle(self, msg: Msg, call: Callable[[], Awaitable[Any]]) -> None:
        """Calls the handler and settles the message by what it did."""
        spec = CONSUMER[msg.metadata.consumer]
        tenant, meeting = _place(msg.subject)
        started = time.perf_counter()
        with telemetry.processing(self._tracer, msg.subject, msg.headers), logs.bound(tenant=tenant, meeting=meeting):
            outcome = await self._settled(msg, spec, call)
        labels = {"consumer": spec.name, "subject": telemetry.label(msg.subject), "outcome": outcome}
        self._seconds.record(time.perf_counter() - started, labels)

    async def _settled(self, msg: Msg, spec: ConsumerSpec, call: Callable[[], Awaitable[Any]]) -> str:
        try:
            await self._handled(msg, spec, call)
        except asyncio.CancelledError:
            await msg.nak()
            raise
        except Permanent as error:
            return await self._bury(msg, spec, error.reason)
        except Retryable as error:
            return await self._again(msg, spec, error.reason, error.delay_s, spec.max_deliveries)
        except TimeoutError:
            reason = f"not handled in {spec.handle_within_s:g} s"
            return await self._again(msg, spec, reason, _delay_s(msg), spec.max_deliveries)
        except Exception as error:  # the boundary of a handler: nothing it raises may end the subscription
            log.exception("handler failed", extra={"consumer": spec.name, "deliveries": msg.metadata.num_delivered})
            return await self._again(msg, spec, logs.failure(error), _delay_s(msg), MAX_UNEXPECTED)
        await msg.ack()
        return "ack"

    async def _handled(self, msg: Msg, spec: ConsumerSpec, call: Callable[[], Awaitable[Any]]) -> None:
        if msg.metadata.num_delivered > spec.max_deliveries:
            raise Permanent(f"delivered {msg.metadata.num_delivered} times and never settled")
        claim = _Claim(msg, spec.ack_wait_s / 3)
        try:
            async with asyncio.timeout(spec.handle_within_s):
                await call()
        finally:
            claim.release()

    async def _again(self, msg: Msg, spec: ConsumerSpec, reason: str, delay_s: float, limit: int) -> str:
        deliveries = msg.metadata.num_delivered
        if deliveries >= limit:
            return await self._bury(msg, spec, f"given up after {deliveries} deliveries: {reason}")
        await msg.nak(delay=delay_s)
        return "nack"

    async def _bury(self, msg: Msg, spec: ConsumerSpec, reason: str) -> str:
        try:
            await deadletter.bury(self._bus, deadletter.of_delivery(msg, self._bus.service, reason))
        except (Retryable, Permanent):
            log.exception("dead letter could not be stored", extra={"consumer": spec.name})
            await msg.nak(delay=_LONGEST_DELAY_S)
            return "nack"
        # The reason may quote a refused value, so it is in the letter and not in the log.
        log.error("message dead-lettered", extra={"consumer": spec.name, "subject": telemetry.label(msg.subject)})
        await msg.term()
        return "dead"


def _delay_s(msg: Msg) -> float:
    return min(2.0 ** (msg.metadata.num_delivered - 1), _LONGEST_DELAY_S)


def _place(subject: str) -> tuple[str | None, str | None]:
    parts = subject.split(".", 5)
    return (parts[3], parts[4]) if len(parts) > 4 else (None, None)


class _Claim:
    """Extends the claim on a message while its handler runs; costs a timer, and nothing if the handler is quick."""

    def __init__(self, msg: Msg, every_s: float) -> None:
        self._msg = msg
        self._every_s = every_s
        self._loop = asyncio.get_running_loop()
        self._timer = self._loop.call_later(every_s, self._extend)
        self._task: asyncio.Task[None] | None = None

    def _extend(self) -> None:
        self._task = self._loop.create_task(self._msg.in_progress())
        self._timer = self._loop.call_later(self._every_s, self._extend)

    def release(self) -> None:
        """The handler is done."""
        self._timer.cancel()


class _Middleware(BaseMiddleware[Any, Any]):
    def __init__(
        self, msg: Any, /, *, context: Any, settle: Callable[[Msg, Callable[[], Awaitable[Any]]], Awaitable[None]]
    ) -> None:
        super().__init__(msg, context=context)
        self._settle = settle

    async def consume_scope(self, call_next: CallNext, msg: StreamMessage[Any]) -> None:
        await self._settle(cast(Msg, msg.raw_message), partial(call_next, msg))
