"""An agent that is lost, or loses its LiveKit: what the next one, or the same one again, tells of the time between."""

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import pytest_asyncio
from livekit import api
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.stt import SttGap, UtteranceOpened
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Server, Servers

from .eventually import comes_true, eventually
from .node import Node
from .rooms import Person, Rooms
from .speech import speech

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def own_livekit(servers: Servers) -> Server:
    return servers.start("livekit")


@pytest_asyncio.fixture(loop_scope="module")
async def rooms(livekit: Livekit, own_livekit: Server) -> AsyncGenerator[Rooms]:
    """Of a LiveKit that may be killed."""
    async with Rooms.open(replace(livekit, url=own_livekit.url)) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(servers: Servers, nats_url: str, livekit: Livekit, own_livekit: Server) -> AsyncGenerator[Node]:
    await provision_empty(nats_url)
    async with Node.running(nats_url, servers["redis"].url, replace(livekit, url=own_livekit.url)) as started:
        yield started


async def talk(person: Person) -> None:
    """For as long as the test takes."""
    while True:
        await person.play(np.tile(speech(), 5))


async def test_what_a_killed_agent_did_not_hear_is_one_gap_of_the_next(node: Node, rooms: Rooms):
    ada = await rooms.enter("r-lost", "ada")
    track = await ada.unmute()
    talking = asyncio.create_task(talk(ada))
    first = await node.send(await node.job(rooms, "r-lost"))
    meeting = first.data.meeting_id
    await ada.is_heard(track)
    await node.hears(UtteranceOpened, meeting)
    os.kill((await node.logged("joined", meeting=meeting))["pid"], signal.SIGKILL)
    [left] = await node.hears(AgentLeft, meeting)
    second = await node.job(
        rooms, "r-lost", meeting=meeting, heard_until=left.data.left_at, started_at=first.data.started_at
    )
    await node.send(second)
    [gap] = await node.hears(SttGap, meeting)
    [_, again] = await node.hears(AgentJoined, meeting, 2)
    beat = (await node.hears(AgentHeartbeat, meeting))[-1]
    assert (beat.data.epoch, beat.data.final) == (2, False), "the word that the hole is told"
    assert (gap.data.reason, gap.data.epoch, gap.data.track.id) == ("agent_lost", 2, "_")
    begins = first.data.started_at + timedelta(milliseconds=gap.data.start_ms)
    ends = first.data.started_at + timedelta(milliseconds=gap.data.end_ms)
    assert abs(begins - left.data.left_at) < timedelta(milliseconds=2)
    assert again.data.joined_at <= ends <= beat.time
    await node.tell_to_leave(second)
    await node.hears(AgentLeft, meeting, 2)
    talking.cancel()
    assert len(node.heard(SttGap, meeting)) == 1


async def test_an_agent_that_is_joining_holds_its_meeting_no_longer_than_it_lives(node: Node, rooms: Rooms):
    """Else nobody could take its place for the time that joining may take."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        job = await node.job(rooms, "r-joining")
        data = job.data.model_copy(update={"livekit_url": f"ws://127.0.0.1:{silent.getsockname()[1]}"})
        await node.send(job.model_copy(update={"data": data}))

        async def taken() -> bool:
            return 0 < await node.lease_ms(job.data.meeting_id) <= 3_000

        await comes_true(taken)
        until = time.monotonic() + 4
        while time.monotonic() < until:
            assert await taken()
            await asyncio.sleep(0.1)
        await node.leases.next_epoch(job.data.meeting_id)


async def test_a_room_that_livekit_closes_as_empty_does_not_end_the_meeting(node: Node, rooms: Rooms):
    livekit = rooms.livekit
    async with api.LiveKitAPI(livekit.url, livekit.api_key, livekit.api_secret) as lk:
        await lk.room.create_room(api.CreateRoomRequest(name="r-emptied", departure_timeout=1))
    ada = await rooms.enter("r-emptied", "ada")
    job = await node.send(await node.job(rooms, "r-emptied"))
    await ada.sees_agent()
    await ada.leave()
    gone_at = datetime.now(UTC)
    [left] = await node.hears(AgentLeft, job.data.meeting_id)
    assert left.data.reason == "room_emptied"
    assert left.data.empty_since is not None
    assert abs(left.data.empty_since - gone_at) < timedelta(seconds=2)
    assert left.data.empty_since <= left.data.left_at


async def test_a_livekit_that_restarts_gets_its_agent_back_which_tells_the_hole(
    node: Node, rooms: Rooms, own_livekit: Server
):
    ada = await rooms.enter("r-restart", "ada")
    track = await ada.unmute()
    talking = asyncio.create_task(talk(ada))
    job = await node.send(await node.job(rooms, "r-restart", empty_room_timeout_s=1))
    meeting = job.data.meeting_id
    await ada.is_heard(track)
    await node.hears(UtteranceOpened, meeting)
    own_livekit.kill()
    down_at = datetime.now(UTC)
    # Longer than the meeting waits in an empty room: that the agent sees nobody says nothing of who is there.
    await eventually(lambda: datetime.now(UTC) > down_at + timedelta(seconds=3))
    own_livekit.start()
    await asyncio.to_thread(own_livekit.wait_ready)
    up_at = datetime.now(UTC)
    [gap] = await node.hears(SttGap, meeting)
    before = node.heard(AgentJoined, meeting)[0]
    await eventually(lambda: node.heard(AgentJoined, meeting)[-1].data.room_sid != before.data.room_sid)
    after = node.heard(AgentJoined, meeting)[-1]
    assert before.data.epoch == after.data.epoch == 1
    assert before.data.participant_sid != after.data.participant_sid
    begins = job.data.started_at + timedelta(milliseconds=gap.data.start_ms)
    ends = job.data.started_at + timedelta(milliseconds=gap.data.end_ms)
    assert abs(begins - down_at) < timedelta(seconds=1)
    assert ends > up_at
    opened = len(node.heard(UtteranceOpened, meeting))
    await node.hears(UtteranceOpened, meeting, opened + 1)
    last = node.heard(UtteranceOpened, meeting)[-1].data
    assert last.start_ms >= gap.data.end_ms - 1000
    assert last.participant.identity == "ada"
    assert not node.heard(AgentLeft, meeting)
    talking.cancel()
    await node.tell_to_leave(job)
    await eventually(lambda: node.heard(AgentLeft, meeting))
    assert len(node.heard(SttGap, meeting)) == 1
