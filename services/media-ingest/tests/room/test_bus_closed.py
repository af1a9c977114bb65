"""A room process whose connection NATS closed for good."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest
from roomscribe_common.testing.empty_streams import provision_empty
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.providers import Servers

from .node import Node
from .rooms import Rooms

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Door:
    """Stands before a NATS server, and can say on its behalf that the room processes are not wanted any more."""

    def __init__(self, url: str) -> None:
        self._server = urlsplit(url)
        self._rooms: list[asyncio.StreamWriter] = []
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: list[asyncio.Task[None]] = []

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        door = await asyncio.start_server(self._enter, "127.0.0.1", 0)
        try:
            yield f"nats://127.0.0.1:{door.sockets[0].getsockname()[1]}"
        finally:
            door.close()
            for writer in self._writers:
                writer.close()
            async with asyncio.timeout(10):
                await asyncio.gather(*self._tasks)
                await asyncio.gather(*(each.wait_closed() for each in self._writers), return_exceptions=True)

    def refuse_rooms(self) -> None:
        for writer in self._rooms:
            with contextlib.suppress(OSError):
                writer.write(b"-ERR 'Account Authentication Expired'\r\n")

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._server.hostname, self._server.port)
        self._writers += [writer, to_server]
        self._tasks.append(asyncio.create_task(_pass(from_server, writer)))
        hello = await reader.readline()
        if b"/room-" in hello:
            self._rooms.append(writer)
        to_server.write(hello)
        self._tasks.append(asyncio.create_task(_pass(reader, to_server)))


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(2**16):
            writer.write(data)
            await writer.drain()
    writer.close()


async def test_an_agent_that_can_store_nothing_any_more_ends_so_that_the_next_one_can_come(
    servers: Servers, nats_url: str, livekit: Livekit, rooms: Rooms
):
    await provision_empty(nats_url)
    door = Door(nats_url)
    async with door.open() as url, Node.running(url, servers["redis"].url, livekit) as node:
        ada = await rooms.enter("r-closed", "ada")
        job = await node.send(await node.job(rooms, "r-closed"))
        await ada.sees_agent()
        await node.logged("joined", meeting=job.data.meeting_id)
        door.refuse_rooms()
        await node.logged("room process lost", meeting=job.data.meeting_id, exit_code=1)
        await ada.sees_no_agent()
        await node.send(await node.job(rooms, "r-closed", meeting=job.data.meeting_id))
        await ada.sees_agent()
