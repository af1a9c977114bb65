"""Looks at intervals for what somebody should be told of, and tells it once."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from roomscribe_common.contracts.base import AnyEvent
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.outbox import Outbox

log = logging.getLogger(__name__)

_DEADLINE_S = 300.0
Look = Callable[[int], Awaitable[Sequence[AnyEvent]]]
"""What is to be told as things are now; it may have been told before."""


class Watch:
    """The looks, one after the other. Replicas may look at once: an event is stored once under its id, for ever."""

    def __init__(self, outbox: Outbox, looks: Sequence[Look], every_s: float) -> None:
        self._outbox = outbox
        self._looks = looks
        self._every_s = every_s

    async def run(self) -> None:
        """Looks until cancelled; what fails is looked at again."""
        while True:
            for look in self._looks:
                try:
                    async with asyncio.timeout(_DEADLINE_S):
                        await self.once(look, time.time_ns() // 1_000_000)
                except (SQLAlchemyError, OSError, TimeoutError) as error:
                    log.warning("not looked, trying again", extra={"error": type(error).__name__})
            await asyncio.sleep(self._every_s)

    async def once(self, look: Look, now_ms: int) -> None:
        """One look. Who writes waits for nobody if there is nothing new."""
        found = {event.id: event for event in await look(now_ms)}
        known = await self._outbox.known(list(found)) if found else set[str]()
        for key, event in found.items():
            if key not in known:
                await self._outbox.put(event, now_ms)
