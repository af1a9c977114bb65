"""Events of the meeting on their way to the bus: in order, never waited for by whoever tells them."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.telemetry import label

log = logging.getLogger(__name__)

CAPACITY: Final = 2_000
"""Events kept while the bus does not take them: an hour of a lively room."""


class Outbox:
    """Publishes one event after the other; each is tried until it is stored, refused for good, or `close` gives up."""

    def __init__(self, publish: Callable[[AnyEvent], Awaitable[Any]], capacity: int = CAPACITY) -> None:
        """`publish` raises `Retryable` when the bus did not take the event in time, `Permanent` if it never will."""
        self._publish = publish
        self._capacity = capacity
        self._waiting: deque[AnyEvent] = deque()
        self._more = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    def put(self, event: AnyEvent) -> None:
        """Queues the event. Beyond the capacity the oldest is lost, and logged."""
        if len(self._waiting) >= self._capacity:
            lost = self._waiting.popleft()
            log.error("event lost, the bus has not taken any for too long", extra={"subject": label(lost.subject)})
        self._waiting.append(event)
        self._empty.clear()
        self._more.set()

    async def run(self) -> None:
        """Publishes until cancelled."""
        while True:
            await self._more.wait()
            self._more.clear()
            while self._waiting:
                await self._send(self._waiting[0])
            self._empty.set()

    async def flush(self, timeout_s: float) -> bool:
        """Waits until all is on the bus; False if it was not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._empty.wait()
        except TimeoutError:
            log.error("events given up at the end", extra={"count": len(self._waiting)})
            return False
        return True

    async def _send(self, event: AnyEvent) -> None:
        try:
            await self._publish(event)
        except Retryable as error:
            await asyncio.sleep(error.delay_s)
            return  # it stays first
        except Permanent as refused:
            log.error("event refused by the bus", extra={"subject": label(event.subject), "error": refused.reason})
        if self._waiting and self._waiting[0] is event:
            self._waiting.popleft()
