"""Utterances cut off by the death of their agent: ended when that is known, and no sooner."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from roomscribe_common.contracts.agent import AgentJoined, AgentJoinedData, AgentLeft, AgentLeftData, AgentRef, Counters
from roomscribe_common.contracts.stt import Utterance
from roomscribe_common.subjects import subject_of

from .conftest import TENANT, Room, Spoken, Start, chunks, utterance, words

News = Callable[[Room, Utterance, int], Awaitable[None]]
SOON_S = 7.0
"""Below the ten seconds after which an utterance is over in any case."""


def agent(said: Utterance, epoch: int) -> AgentRef:
    return AgentRef(
        meeting_id=said.meeting_id,
        room=said.room,
        job_id="job_1",
        epoch=epoch,
        room_sid="RM_1",
        participant_sid=f"PA_{epoch}",
        identity="agent",
        node="node",
        joined_at=datetime(2026, 11, 2, 9, 0, tzinfo=UTC),
    )


async def joins(room: Room, said: Utterance, epoch: int) -> None:
    data = AgentJoinedData(**agent(said, epoch).model_dump(), connect_ms=5)
    subject = subject_of(AgentJoined, TENANT, said.meeting_id)
    event = AgentJoined.new(id=f"joined:{epoch}", source="test", subject=subject, tenant=TENANT, data=data)
    await room.js.publish(subject, event.to_bytes())


async def dies(room: Room, said: Utterance, epoch: int) -> None:
    left = {"left_at": datetime(2026, 11, 2, 9, 2, tzinfo=UTC), "uptime_ms": 120_000, "counters": Counters()}
    data = AgentLeftData.model_validate(agent(said, epoch).model_dump() | left | {"reason": "crashed"})
    subject = subject_of(AgentLeft, TENANT, said.meeting_id)
    event = AgentLeft.new(id=f"left:{epoch}", source="test", subject=subject, tenant=TENANT, data=data)
    await room.js.publish(subject, event.to_bytes())


@pytest.mark.parametrize(("news", "epoch"), [(dies, 1), (joins, 2)])
async def test_what_a_dead_agent_had_sent_is_final_as_soon_as_its_death_is_known(
    worker: Start, room: Room, spoken: dict[str, Spoken], news: News, epoch: int
) -> None:
    said = utterance()
    async with worker():
        await room.open(said)
        await room.send(said, *chunks(said, spoken["question"])[:-3])
        await news(room, said, epoch)
        final = await room.final(said, timeout_s=SOON_S)
    assert final.data.truncated
    assert words(final.data.text) == spoken["question"].words


async def test_a_worker_that_comes_after_the_news_knows_it_too(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance()
    await room.open(said)
    await room.send(said, *chunks(said, spoken["question"])[:-3])
    await dies(room, said, 1)
    async with worker():
        final = await room.final(said, timeout_s=SOON_S)
    assert final.data.truncated


async def test_an_agent_that_took_the_place_of_a_dead_one_is_heard_out_over_a_pause_of_the_network(
    worker: Start, room: Room, spoken: dict[str, Spoken]
) -> None:
    said = utterance().model_copy(update={"epoch": 2})
    pieces = chunks(said, spoken["question"])
    await dies(room, said, 1)
    await joins(room, said, 2)
    async with worker():
        await room.open(said)
        await room.send(said, *pieces[:10])
        await asyncio.sleep(3)  # the pause itself: three times as long as a dead agent's utterance waits
        await room.send(said, *pieces[10:])
        final = await room.final(said)
    assert not final.data.truncated
    assert words(final.data.text) == spoken["question"].words
