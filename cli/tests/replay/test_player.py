"""A replay that cannot go on says why, and leaves no meeting open."""

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
from roomscribe_cli.replay.player import Player, Replay, ReplayStuck
from roomscribe_cli.replay.recording import Recording
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.meeting import MeetingEnded, ParticipantJoined
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.stored import last
from roomscribe_common.subjects import subject_of
from roomscribe_common.testing.until import until


@pytest.fixture
async def bus(streams: str) -> AsyncIterator[Bus]:
    nc = await connection.connect(streams, "test")
    yield Bus(nc, BoundJetStream(nc), "test")
    await connection.close(nc)


def replay(speed: float | None) -> Replay:
    silence = Recording("ada", "Ada", np.zeros(20 * 16_000, np.int16))
    return Replay.of([silence], title="Replay", speed=speed)


async def ended(bus: Bus, plan: Replay) -> bool:
    return await last(bus.js, "MEETINGS", subject_of(MeetingEnded, plan.tenant, plan.meeting_id)) is not None


async def test_a_replay_nobody_listens_to_says_so_and_ends_its_meeting(bus: Bus) -> None:
    for n in range(40):
        await bus.js.publish(f"stt.v1.utterance.local.mtg_x.TR_1.utt_{n}", b"{}")
    plan = replay(speed=None)
    with pytest.raises(ReplayStuck, match="is an stt-worker running"):
        await Player(plan, bus, stuck_s=0.2).run()
    assert await ended(bus, plan)


async def test_a_replay_that_is_interrupted_ends_its_meeting(bus: Bus) -> None:
    plan = replay(speed=1.0)
    playing = asyncio.create_task(Player(plan, bus).run())
    joined = subject_of(ParticipantJoined, plan.tenant, plan.meeting_id)

    async def begun() -> bool:
        return await last(bus.js, "MEETINGS", joined) is not None

    await until(begun)
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    assert await ended(bus, plan)
