"""Publishes what waits in the outbox, in order, until the stream has it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from roomscribe_common.bus import MSG_ID
from roomscribe_common.errors import Permanent, Retryable
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.outbox import Outbox, Waiting

log = logging.getLogger(__name__)

Publish = Callable[[str, bytes, dict[str, str]], Awaitable[object]]
"""Stores a message of a subject with its headers. Raises `Retryable` or `Permanent`."""

_AT_ONCE = 100
_DEADLINE_S = 120.0
_FORGET_EVERY_S = 3_600.0
_FORGET_MS = 400 * 86_400_000
"""As long as the streams keep it."""


class Publisher:
    """Sends each event of the outbox at least once. Replicas may do so at once: the event's id makes it one."""

    def __init__(self, outbox: Outbox, publish: Publish, look_every_s: float) -> None:
        self._outbox = outbox
        self._publish = publish
        self._look_every_s = look_every_s

    async def run(self) -> None:
        """Publishes until cancelled; what fails is tried again at the next look."""
        forgot_at = -_FORGET_EVERY_S
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    while await self.publish_waiting(time.time_ns() // 1_000_000):
                        pass
                    if time.monotonic() - forgot_at > _FORGET_EVERY_S:
                        await self._outbox.forget(time.time_ns() // 1_000_000 - _FORGET_MS)
                        forgot_at = time.monotonic()
            except (SQLAlchemyError, OSError, TimeoutError, Retryable) as error:
                log.warning("events not published, trying again", extra={"error": type(error).__name__})
            await asyncio.sleep(self._look_every_s)

    async def publish_waiting(self, now_ms: int) -> bool:
        """Publishes some of what waits; whether there may be more. Raises `Retryable`."""
        waiting = await self._outbox.unsent(_AT_ONCE)
        sent: list[int] = []
        try:
            for one in waiting:
                if await self._send(one):
                    sent.append(one.seq)
        finally:
            # A crash here publishes them once more, under the same ids.
            if sent:
                await self._outbox.sent(sent, now_ms)
        return len(waiting) == _AT_ONCE

    async def _send(self, one: Waiting) -> bool:
        try:
            await self._publish(one.subject, one.payload.encode(), {MSG_ID: one.key})
        except Permanent as error:
            log.error("event cannot be told", extra={"kind": one.kind, "reason": error.reason})
            await self._outbox.refused(one.seq, error.reason)
            return False
        return True
