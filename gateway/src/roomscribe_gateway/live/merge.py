"""Several streams read as one: what they hold already in the order it was stored, then whatever comes."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from roomscribe_gateway.adapters.tail import Stored
from roomscribe_gateway.domain.positions import Stream

_WAITING: Final = 64
"""Messages read ahead of each stream while an older one of another stream may come."""

Tails = Mapping[Stream, AsyncGenerator[Stored | None]]


@dataclass(frozen=True, slots=True)
class FromStream:
    """A message of one of the streams."""

    stream: Stream
    stored: Stored


class CaughtUp:
    """All that was stored has been read; what follows is live. Said once."""


Item = FromStream | CaughtUp


class Merge:
    """Hands the tails' messages to `put`. Every queue is bounded, so a `put` that waits slows the reading."""

    def __init__(self, tails: Tails, put: Callable[[Item], Awaitable[None]]) -> None:
        self._tails = tails
        self._put = put
        self._read: dict[Stream, asyncio.Queue[Stored | None]] = {each: asyncio.Queue(_WAITING) for each in tails}
        self._caught_up = asyncio.Event()

    def parts(self) -> list[Coroutine[None, None, None]]:
        """What to run side by side until cancelled, each as a task that the caller owns."""
        follow = [self._follow(stream) for stream in self._tails]
        return [*follow, self._backlog(), *(self._forward(stream) for stream in self._tails)]

    async def _follow(self, stream: Stream) -> None:
        async with aclosing(self._tails[stream]) as messages:
            async for stored in messages:
                await self._read[stream].put(stored)

    async def _backlog(self) -> None:
        unread = set(self._tails)
        oldest: dict[Stream, Stored] = {}
        while unread or oldest:
            for stream in unread - oldest.keys():
                stored = await self._read[stream].get()
                if stored is None:
                    unread.discard(stream)
                else:
                    oldest[stream] = stored
            if oldest:
                first = min(oldest, key=lambda each: oldest[each].stored_at)
                await self._put(FromStream(first, oldest.pop(first)))
        await self._put(CaughtUp())
        self._caught_up.set()

    async def _forward(self, stream: Stream) -> None:
        await self._caught_up.wait()
        while True:
            stored = await self._read[stream].get()
            if stored is not None:
                await self._put(FromStream(stream, stored))
