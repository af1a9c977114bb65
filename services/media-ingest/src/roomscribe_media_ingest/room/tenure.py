"""Keeps the meeting's lease, and says when another agent has it."""

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine

from redis.exceptions import RedisError
from roomscribe_common.lease import Heard, Leases

log = logging.getLogger(__name__)


class Tenure:
    """One epoch's hold on its meeting. A Redis that cannot be reached loses nothing: only a higher epoch does."""

    def __init__(
        self, leases: Leases, meeting_id: str, epoch: int, ttl_s: float, heard: Callable[[], Heard | None]
    ) -> None:
        """`heard`: until when all the agent heard is on the bus, and now, by the same clock; None before it hears."""
        self._leases = leases
        self._heard = heard
        self._meeting_id = meeting_id
        self._epoch = epoch
        self._every_s = ttl_s / 3
        self._away_since: float | None = None

    async def take(self) -> bool:
        """Holds the meeting; `keep` goes on. False: a higher epoch was given, so keep out of the room."""
        return await self._hold(self._renew())

    async def keep(self) -> None:
        """Renews for as long as the meeting is ours; returns once it is not."""
        while True:
            if not await self._hold(self._renew()):
                return
            await asyncio.sleep(self._every_s)

    async def _renew(self) -> bool:
        heard = self._heard()
        said = () if heard is None else (heard.until, heard.said_at)
        return await self._leases.renew(self._meeting_id, self._epoch, *said) == self._epoch

    async def _hold(self, asked: Coroutine[None, None, bool]) -> bool:
        try:
            async with asyncio.timeout(self._every_s):
                held = await asked
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)
            return True
        if self._away_since is not None:
            log.warning("redis is back", extra={"away_s": round(time.monotonic() - self._away_since, 1)})
            self._away_since = None
        return held

    async def give_up(self) -> None:
        """Lets the next agent in at once."""
        try:
            async with asyncio.timeout(self._every_s):
                await self._leases.release(self._meeting_id, self._epoch)
        except (RedisError, OSError, TimeoutError) as error:
            self._failed(error)  # then it expires

    def _failed(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = time.monotonic()
            log.warning("lease not renewed, trying on", extra={"error": str(error) or type(error).__name__})
