"""Many people at once: only their signalling, for fifty whole clients would take this machine a quarter of a minute."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlencode

import aiohttp
from livekit.protocol.rtc import LeaveRequest, SignalRequest

from .rooms import Rooms


@asynccontextmanager
async def crowd(rooms: Rooms, room: str, names: Sequence[str]) -> AsyncGenerator[None]:
    """They join together and leave together."""
    async with aiohttp.ClientSession() as session:
        joined = await asyncio.gather(*(_join(session, rooms, room, name) for name in names))
        yield
        leave = SignalRequest(leave=LeaveRequest(action=LeaveRequest.DISCONNECT)).SerializeToString()
        await asyncio.gather(*(each.send_bytes(leave) for each in joined))
        await asyncio.gather(*(each.close() for each in joined))


async def _join(session: aiohttp.ClientSession, rooms: Rooms, room: str, name: str) -> aiohttp.ClientWebSocketResponse:
    question = {"access_token": rooms.token(room, name, name), "protocol": 9, "auto_subscribe": 0}
    connection = await session.ws_connect(f"{rooms.livekit.url}/rtc?{urlencode(question)}")
    await connection.receive_bytes(timeout=30)  # the join response
    return connection
