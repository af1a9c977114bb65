import asyncio

from roomscribe_media_ingest.room.presence import Presence


class Room:
    """A number of humans that changes."""

    def __init__(self, humans: int, gone_s: float, nobody_yet_s: float) -> None:
        self.humans = humans
        self.presence = Presence(lambda: self.humans)
        self.empty = asyncio.create_task(self.presence.until_empty(gone_s, nobody_yet_s))

    async def has(self, humans: int) -> None:
        self.humans = humans
        self.presence.changed()
        await asyncio.sleep(0)

    async def is_given_up(self, within_s: float = 5) -> bool:
        done, _ = await asyncio.wait([self.empty], timeout=within_s)
        if not done:
            self.empty.cancel()
        return bool(done)


async def test_a_room_whose_last_human_left_is_given_up_after_the_timeout():
    room = Room(1, gone_s=0.05, nobody_yet_s=60)
    await room.has(0)
    assert await room.is_given_up()


async def test_a_room_with_somebody_in_it_is_not_given_up():
    room = Room(1, gone_s=0.01, nobody_yet_s=0.01)
    assert not await room.is_given_up(within_s=0.1)


async def test_a_room_nobody_has_been_in_yet_is_given_up_later():
    room = Room(0, gone_s=0.01, nobody_yet_s=60)
    assert not await room.is_given_up(within_s=0.1)
    assert await Room(0, gone_s=0.01, nobody_yet_s=0.05).is_given_up()


async def test_who_comes_back_in_time_starts_the_wait_anew():
    room = Room(1, gone_s=60, nobody_yet_s=60)
    await room.has(0)
    await room.has(1)
    assert not await room.is_given_up(within_s=0.05)


async def test_an_agent_that_comes_and_goes_does_not_prolong_the_wait():
    room = Room(1, gone_s=0.2, nobody_yet_s=60)
    await room.has(0)

    async def chatter() -> None:
        while not room.empty.done():
            await room.has(0)
            await asyncio.sleep(0.02)

    restless = asyncio.create_task(chatter())
    assert await room.is_given_up()
    await restless
