"""The hole while no agent heard the meeting: told once, with its true edges, and only where people were."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.stt import SttGap
from roomscribe_media_ingest.adapters.clock import MeetingClock
from roomscribe_media_ingest.room.absence import Absence
from roomscribe_media_ingest.room.place import Place

from .eventually import eventually

STARTED = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
PLACE = Place("acme", "mtg_1", "kitchen", 2)


class Bench:
    """An agent's absence, with hands on the time. Now is an hour into the meeting until it is moved."""

    def __init__(self) -> None:
        self.elapsed_s = 0.0
        self.told: list[AnyEvent] = []
        self.heard = 0
        wall = (STARTED + timedelta(hours=1)).timestamp()
        clock = MeetingClock(STARTED, wall=lambda: wall, monotonic=lambda: self.elapsed_s)
        self.absence = Absence(PLACE, clock, self.told.append)
        self.now = clock.now

    def gaps(self) -> list[tuple[int, int]]:
        """In seconds from the hour."""
        gaps = [event for event in self.told if isinstance(event, SttGap)]
        assert len(gaps) == len(self.told)
        return [(gap.data.start_ms // 1000 - 3600, gap.data.end_ms // 1000 - 3600) for gap in gaps]

    def hears_again(self) -> None:
        self.heard += 1

    async def run(self) -> AsyncGenerator[None]:
        running = asyncio.create_task(self.absence.run(self.hears_again))
        yield
        running.cancel()


@pytest.fixture
async def bench() -> AsyncGenerator[Bench]:
    made = Bench()
    async for _ in made.run():
        yield made


async def sound() -> AsyncGenerator[NDArray[np.int16]]:
    yield np.zeros(1536, np.int16)


async def hear(bench: Bench) -> None:
    async for _ in bench.absence.noticing(sound)():
        pass


async def turns() -> None:
    """Lets whoever can go on do so."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_hole_of_a_lost_epoch_ends_with_the_first_sound(bench: Bench):
    bench.absence.began(bench.now() - timedelta(seconds=4), anybody=True)
    bench.elapsed_s = 1
    bench.absence.back(bench.now())
    bench.elapsed_s = 2
    await hear(bench)
    await eventually(lambda: bench.heard)
    assert bench.gaps() == [(-4, 2)]
    [gap] = bench.told
    assert isinstance(gap, SttGap)
    assert (gap.data.reason, gap.data.track.id, gap.data.participant.identity) == ("agent_lost", "_", "_")
    assert gap.subject == f"stt.v1.gap.acme.mtg_1._.{gap.data.gap_id}"


async def test_the_same_hole_told_again_is_the_same_event(bench: Bench):
    again = Bench()
    for each in (bench, again):
        each.absence.began(each.now() - timedelta(seconds=4), anybody=True)
        each.absence.end()
    assert [event.id for event in bench.told] == [event.id for event in again.told]


async def test_where_nobody_sends_sound_the_hole_ends_with_the_return(bench: Bench, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("roomscribe_media_ingest.room.absence._FIRST_SOUND_S", 0.1)
    bench.absence.began(bench.now() - timedelta(seconds=4), anybody=True)
    bench.elapsed_s = 1
    bench.absence.back(bench.now())
    bench.elapsed_s = 9
    await eventually(lambda: bench.heard)
    assert bench.gaps() == [(-4, 1)]


async def test_a_room_in_which_nobody_was_and_is_has_no_hole(bench: Bench):
    bench.absence.began(bench.now() - timedelta(seconds=4), anybody=False)
    bench.absence.back(None)
    await hear(bench)
    await eventually(lambda: bench.heard)
    assert bench.gaps() == []


async def test_of_a_room_in_which_nobody_was_the_hole_begins_with_the_first_to_come(bench: Bench):
    bench.absence.began(bench.now() - timedelta(seconds=9), anybody=False)
    bench.absence.back(bench.now() - timedelta(seconds=3))
    await hear(bench)
    await eventually(lambda: bench.heard)
    assert bench.gaps() == [(-3, 0)]


async def test_an_agent_that_was_never_absent_tells_nothing(bench: Bench):
    bench.absence.back(bench.now())
    await hear(bench)
    bench.absence.end()
    assert bench.gaps() == []
    assert bench.absence.heard_until == bench.now()


async def test_while_absent_it_heard_until_the_beginning(bench: Bench):
    bench.absence.began(None, anybody=True)
    lost = bench.now()
    bench.elapsed_s = 5
    bench.absence.began(None, anybody=True)
    assert bench.absence.heard_until == lost
    bench.absence.end()
    assert bench.gaps() == [(0, 5)]
    assert bench.absence.heard_until == bench.now()


async def test_a_second_loss_before_it_hears_again_makes_one_hole_up_to_the_last_return(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("roomscribe_media_ingest.room.absence._FIRST_SOUND_S", 0.05)
    bench.absence.began(None, anybody=True)
    bench.elapsed_s = 4
    bench.absence.back(bench.now())
    await turns()
    bench.elapsed_s = 5
    bench.absence.away()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await eventually(lambda: bench.heard)
    bench.absence.began(bench.absence.heard_until, anybody=True)
    bench.elapsed_s = 8
    bench.absence.back(bench.now())
    await eventually(lambda: bench.heard)
    assert bench.gaps() == [(0, 8)]


async def test_a_return_right_after_a_second_loss_has_time_of_its_own_until_the_first_sound(bench: Bench):
    bench.absence.began(None, anybody=True)
    bench.elapsed_s = 1
    bench.absence.back(bench.now())
    await turns()
    await hear(bench)
    bench.absence.began(None, anybody=True)
    bench.elapsed_s = 3
    bench.absence.back(bench.now())
    await turns()
    bench.elapsed_s = 4
    await hear(bench)
    await eventually(lambda: bench.heard)
    assert bench.gaps() == [(0, 4)]
