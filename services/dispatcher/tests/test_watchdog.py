"""Wanted meetings against who is really in their rooms, on a real LiveKit whose webhooks nobody hears."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from livekit import api
from roomscribe_common.testing.fixtures import Livekit

from .conftest import Bench, Start


class Room:
    """A room of the server, and people whose signalling connection is all there is of them."""

    def __init__(self, livekit: Livekit, session: aiohttp.ClientSession, name: str) -> None:
        self._livekit = livekit
        self._session = session
        self.name = name

    async def enter(self, identity: str, *, agent: bool = False) -> aiohttp.ClientWebSocketResponse:
        token = api.AccessToken(self._livekit.api_key, self._livekit.api_secret).with_identity(identity)
        token = token.with_grants(api.VideoGrants(room_join=True, room=self.name))
        params = {"access_token": (token.with_kind("agent") if agent else token).to_jwt(), "protocol": "16"}
        socket = await self._session.ws_connect(f"{self._livekit.url}/rtc", params=params)
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.BINARY
        return socket

    async def delete(self) -> None:
        async with api.LiveKitAPI(self._livekit.url, self._livekit.api_key, self._livekit.api_secret) as lk:
            await lk.room.delete_room(api.DeleteRoomRequest(room=self.name))


@pytest.fixture
async def room(livekit: Livekit) -> AsyncIterator[Room]:
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession())
        made = Room(livekit, session, "watched")
        yield made
        await made.delete()


def long_ago() -> datetime:
    """Long enough for LiveKit to list an agent."""
    return datetime.now(UTC) - timedelta(seconds=60)


async def test_an_agent_that_only_believes_to_be_in_its_room_is_replaced(
    dispatcher: Start, bench: Bench, room: Room
) -> None:
    ada = await room.enter("ada")
    async with dispatcher("one", dispatcher_watchdog_s=0.3), dispatcher("two", dispatcher_watchdog_s=0.3):
        await bench.start(room.name)
        agent = await bench.agent(ttl_s=600, joined_at=long_ago())
        job = await bench.until_job(2)
        assert not await agent.renew(), "it must leave"
    assert job.data.heard_until == agent.joined_at, "it was never seen there"
    assert [each.data.epoch for each in await bench.jobs()][-1] == 2
    await ada.close()


async def test_an_agent_that_is_in_its_room_stays(dispatcher: Start, bench: Bench, room: Room) -> None:
    ada = await room.enter("ada")
    async with dispatcher(dispatcher_watchdog_s=0.1):
        view = await bench.start(room.name)
        here = await room.enter(f"roomscribe-{view.spec.meeting_id}", agent=True)
        agent = await bench.agent(ttl_s=600, joined_at=long_ago())
        looked_until = datetime.now(UTC) + timedelta(seconds=2)
        await bench.until(lambda: bench.passed(looked_until))
        assert await agent.renew()
        await here.close()
        # LiveKit waits for whoever lost the connection; what left is missed at once.
        await bench.until_job(2, timeout_s=60)
    await ada.close()


async def test_an_agent_alone_is_not_missed(dispatcher: Start, bench: Bench, room: Room) -> None:
    other = await room.enter("robot", agent=True)
    async with dispatcher(dispatcher_watchdog_s=0.1):
        await bench.start(room.name)
        agent = await bench.agent(ttl_s=600, joined_at=long_ago())
        looked_until = datetime.now(UTC) + timedelta(seconds=2)
        await bench.until(lambda: bench.passed(looked_until))
        assert await agent.renew()
    await other.close()


async def test_whoever_comes_into_a_room_that_had_emptied_gets_an_agent_without_a_webhook(
    dispatcher: Start, bench: Bench, room: Room
) -> None:
    async with dispatcher(dispatcher_watchdog_s=0.1):
        await bench.start(room.name)
        agent = await bench.agent()
        await agent.leave("room_emptied")
        await bench.until(bench.settled)
        came_at = datetime.now(UTC)
        ada = await room.enter("ada")
        job = await bench.until_job(2)
    assert job.data.heard_until is not None
    assert abs(job.data.heard_until - came_at) < timedelta(seconds=5)
    await ada.close()
