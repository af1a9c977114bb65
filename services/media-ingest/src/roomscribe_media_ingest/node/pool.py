"""Keeps room processes warm, so that a job starts in one that has loaded and connected everything."""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from roomscribe_media_ingest.node.room_process import RoomLost, RoomProcess

log = logging.getLogger(__name__)

_FIRST_RETRY_S = 0.5
_LONGEST_RETRY_S = 30.0


class WarmPool:
    """At least `size` warm processes, whenever `refill` was called. Start one makes; only `run` calls it."""

    def __init__(self, start: Callable[[], Awaitable[RoomProcess]], size: int) -> None:
        self._start = start
        self._size = size
        self._warm: deque[RoomProcess] = deque()
        self._waiting = 0
        self._refill = asyncio.Event()
        self._refill.set()
        self._arrived = asyncio.Condition()

    @property
    def warm(self) -> int:
        """How many are ready now."""
        return sum(child.alive for child in self._warm)

    def refill(self) -> None:
        """Makes up for what was taken; called once the taken one has joined, so as not to compete with it."""
        self._refill.set()

    async def take(self, timeout_s: float) -> RoomProcess:
        """A warm process, the longest waiting first. Raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s), self._arrived:
            self._waiting += 1
            try:
                while True:
                    while self._warm:
                        if (child := self._warm.popleft()).alive:
                            return child
                    self.refill()
                    await self._arrived.wait()
            finally:
                self._waiting -= 1

    async def run(self) -> None:
        """Starts processes as needed, for ever; a start that fails is tried again, later each time."""
        retry_s = _FIRST_RETRY_S
        while True:
            await self._refill.wait()
            self._refill.clear()
            while self.warm < max(self._size, self._waiting):
                try:
                    child = await self._start()
                except (RoomLost, OSError) as error:
                    log.error("no room process could be started", extra={"error": str(error), "again_in_s": retry_s})
                    await asyncio.sleep(retry_s)
                    retry_s = min(2 * retry_s, _LONGEST_RETRY_S)
                    continue
                retry_s = _FIRST_RETRY_S
                child.ended.add_done_callback(lambda _: self.refill())
                async with self._arrived:
                    self._warm.append(child)
                    self._arrived.notify()

    def close(self) -> list[RoomProcess]:
        """Tells the warm ones to end, and returns them."""
        idle, self._warm = list(self._warm), deque[RoomProcess]()
        for child in idle:
            child.leave()
        return idle
