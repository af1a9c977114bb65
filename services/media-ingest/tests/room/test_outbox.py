import asyncio
import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_media_ingest.room.outbox import Outbox
from roomscribe_media_ingest.room.people import Person
from roomscribe_media_ingest.room.place import Place
from roomscribe_media_ingest.room.roster import Roster

PLACE = Place("acme", "mtg_1", "kitchen", 1)


class Bus:
    """Takes events, except those that meet a fault; remembers what it took."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.took: list[AnyEvent] = []
        self.open = asyncio.Event()
        self.open.set()

    async def publish(self, event: AnyEvent) -> None:
        await self.open.wait()
        if self.faults:
            raise self.faults.pop(0)
        self.took.append(event)


def events(count: int) -> list[AnyEvent]:
    told: list[AnyEvent] = []
    roster = Roster(PLACE, told.append, lambda: datetime.now(UTC))
    for number in range(count):
        roster.joined(Person(f"PA_{number}", f"p{number}", "P", "standard"))
    return told


@contextlib.asynccontextmanager
async def running(outbox: Outbox) -> AsyncGenerator[None]:
    task = asyncio.create_task(outbox.run())
    yield
    task.cancel()
    await asyncio.wait([task])


async def test_an_event_the_bus_did_not_take_is_tried_again_before_the_next():
    bus = Bus(Retryable("away", delay_s=0), Retryable("away", delay_s=0))
    outbox = Outbox(bus.publish)
    sent = events(3)
    async with running(outbox):
        for event in sent:
            outbox.put(event)
        assert await outbox.flush(5)
    assert bus.took == sent


async def test_an_event_the_bus_refuses_for_good_does_not_hold_up_the_rest():
    bus = Bus(Permanent("too long"))
    outbox = Outbox(bus.publish)
    sent = events(2)
    async with running(outbox):
        for event in sent:
            outbox.put(event)
        assert await outbox.flush(5)
    assert bus.took == sent[1:]


async def test_beyond_its_capacity_the_oldest_is_lost_and_the_newest_kept():
    bus = Bus()
    outbox = Outbox(bus.publish, capacity=2)
    sent = events(5)
    for event in sent:
        outbox.put(event)
    async with running(outbox):
        assert await outbox.flush(5)
    assert bus.took == sent[3:]


async def test_flush_gives_up_when_the_bus_stays_away():
    bus = Bus()
    bus.open.clear()
    outbox = Outbox(bus.publish)
    outbox.put(events(1)[0])
    async with running(outbox):
        assert not await outbox.flush(0.05)
