"""What passed over the bus and when it was heard here."""

import asyncio
import time
from dataclasses import dataclass
from typing import Generic

from nats.aio.client import Client
from nats.aio.msg import Msg
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.reader import EventT, Reader
from roomscribe_common.subjects import parse, wildcard


@dataclass(frozen=True, slots=True)
class Timed(Generic[EventT]):
    """An event and the Unix time it was heard."""

    event: EventT
    at: float


class BusLog:
    """Keeps messages as they come; they are read only when asked for, so that reading delays none."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._kept: list[tuple[str, bytes, float]] = []
        self._more = asyncio.Event()

    async def listen(self, *events: type[AnyEvent]) -> None:
        """Keeps events of these classes from now on."""
        for event in events:
            await self._nc.subscribe(wildcard(event), cb=self._keep)  # pyright: ignore[reportUnknownMemberType]  # untyped future
        await self._nc.flush()

    async def _keep(self, msg: Msg) -> None:
        self._kept.append((msg.subject, msg.data, time.time()))
        self._more.set()

    def of(self, event: type[EventT], meeting: str) -> list[Timed[EventT]]:
        """A meeting's events of a class, in the order they were heard."""
        reader = Reader(event)
        places = ((parse(subject), subject, data, at) for subject, data, at in self._kept)
        return [
            Timed(reader.read(subject, data), at)
            for place, subject, data, at in places
            if place.type == event.TYPE and place.meeting == meeting
        ]

    async def first(self, event: type[EventT], meeting: str, timeout_s: float = 15.0) -> Timed[EventT]:
        """The first such event, as soon as it is here; raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while True:
                if found := self.of(event, meeting):
                    return found[0]
                self._more.clear()
                await self._more.wait()
