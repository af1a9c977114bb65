"""What is to be told is stored with what it is about, and told at least once, in order."""

import pytest
from roomscribe_common.bus import MSG_ID
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.publisher import Publisher
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, talk


class Stream:
    """Stands for JetStream: keeps what it acks, by id."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.kept: dict[str, bytes] = {}
        self.refuses: set[str] = set()
        self.fails_after = 1_000_000

    async def publish(self, subject: str, payload: bytes, headers: dict[str, str]) -> None:
        if len(self.told) >= self.fails_after:
            raise Retryable("no stream acknowledged it")
        self.told.append(subject)
        if headers[MSG_ID] in self.refuses:
            raise Permanent("larger than the server takes")
        self.kept.setdefault(headers[MSG_ID], payload)


@pytest.fixture
def outbox(engine: AsyncEngine) -> Outbox:
    return Outbox(engine)


async def _meetings(till: Till, count: int) -> None:
    for number in range(count):
        await till.hear(talk(f"mtg_{number}", at(11, 2 + number, 9), 10), at(11, 20))


async def test_what_waits_is_told_once_and_in_order(till: Till, outbox: Outbox) -> None:
    await _meetings(till, 3)
    stream = Stream()
    publisher = Publisher(outbox, stream.publish, 1)
    for now_ms in (1, 2):
        await publisher.publish_waiting(now_ms)
    assert stream.told == [f"usage.v1.meeting.acme.mtg_{number}" for number in range(3)]
    assert await outbox.unsent(10) == []
    assert [one.key in stream.kept for one in await outbox.after(0, 10)] == [True] * 3


async def test_what_the_stream_does_not_take_is_told_again_under_its_id(till: Till, outbox: Outbox) -> None:
    await _meetings(till, 3)
    stream = Stream()
    stream.fails_after = 1
    publisher = Publisher(outbox, stream.publish, 1)
    with pytest.raises(Retryable):
        await publisher.publish_waiting(1)
    assert len(await outbox.unsent(10)) == 2
    stream.fails_after = 1_000_000
    await publisher.publish_waiting(2)
    assert stream.told == [f"usage.v1.meeting.acme.mtg_{number}" for number in range(3)]


async def test_a_ledger_that_cannot_be_told_keeps_no_other_from_being_told(till: Till, outbox: Outbox) -> None:
    await _meetings(till, 3)
    stream = Stream()
    first, *_ = await outbox.unsent(10)
    stream.refuses.add(first.key)
    publisher = Publisher(outbox, stream.publish, 1)
    for now_ms in (1, 2):
        await publisher.publish_waiting(now_ms)
    assert len(stream.told) == 3
    assert len(stream.kept) == 2
    assert await outbox.unsent(10) == []


async def test_what_was_told_long_ago_is_forgotten_and_what_waits_is_not(till: Till, outbox: Outbox) -> None:
    await _meetings(till, 2)
    stream = Stream()
    stream.fails_after = 1
    with pytest.raises(Retryable):
        await Publisher(outbox, stream.publish, 1).publish_waiting(1_000)
    await outbox.forget(1_000)
    assert len(await outbox.after(0, 10)) == 2
    await outbox.forget(1_001)
    assert [one.subject for one in await outbox.after(0, 10)] == ["usage.v1.meeting.acme.mtg_1"]


async def test_an_event_is_stored_once_whoever_stores_it(till: Till, outbox: Outbox) -> None:
    await _meetings(till, 1)
    [told] = await outbox.unsent(10)
    await till.hear(talk("mtg_0", at(11, 2, 9), 10), at(11, 20))
    assert await outbox.unsent(10) == [told]
