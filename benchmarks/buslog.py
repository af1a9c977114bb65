"""What passed over the bus and when it was heard here."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

from nats.aio.client import Client
from nats.aio.msg import Msg
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.livekit import LivekitEvent
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
        return self._all(event, meeting)

    def _all(self, event: type[EventT], meeting: str | None = None) -> list[Timed[EventT]]:
        reader = Reader(event)
        places = ((parse(subject), subject, data, at) for subject, data, at in self._kept)
        return [
            Timed(reader.read(subject, data), at)
            for place, subject, data, at in places
            if place.type == event.TYPE and meeting in (None, place.meeting)
        ]

    def forget(self) -> None:
        """Drops what was kept so far."""
        self._kept.clear()

    async def first(self, event: type[EventT], meeting: str, timeout_s: float = 15.0) -> Timed[EventT]:
        """The first such event of a meeting, as soon as it is here; raises `TimeoutError`."""
        return await self._soon(lambda: self.of(event, meeting), timeout_s)

    async def until_count(self, event: type[EventT], count: int, timeout_s: float) -> list[Timed[EventT]]:
        """All events of a class, as soon as there are so many; raises `TimeoutError`."""
        async with asyncio.timeout(timeout_s):
            while sum(parse(subject).type == event.TYPE for subject, _, _ in self._kept) < count:
                self._more.clear()
                await self._more.wait()
        return self._all(event)

    async def webhook(
        self, name: str, room: str, *, agent: bool, after: float = 0.0, timeout_s: float = 15.0
    ) -> Timed[LivekitEvent]:
        """The first webhook of that name about an agent, or a person, in a room that was heard after a time.

        Raises `TimeoutError`.
        """

        def found() -> list[Timed[LivekitEvent]]:
            later = (each for each in self._all(LivekitEvent) if each.at > after and each.event.data.room == room)
            return [each for each in later if _is_about(each.event, name, agent)]

        return await self._soon(found, timeout_s)

    async def _soon(self, look: Callable[[], list[Timed[EventT]]], timeout_s: float) -> Timed[EventT]:
        async with asyncio.timeout(timeout_s):
            while True:
                self._more.clear()
                if found := look():
                    return found[0]
                await self._more.wait()


def _is_about(webhook: LivekitEvent, name: str, agent: bool) -> bool:
    who = webhook.data.body.get("participant")
    return webhook.data.event == name and isinstance(who, dict) and (who.get("kind") == "AGENT") == agent
