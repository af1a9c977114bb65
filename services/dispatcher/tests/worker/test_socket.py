"""The socket itself, on a real server behind a line that can go dead, and on one that talks nonsense."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import aiohttp
import pytest
from aiohttp import web
from livekit.protocol import agent as pb
from livekit.protocol import models
from roomscribe_common.testing.fixtures import LIVEKIT_KEYS
from roomscribe_common.testing.until import until
from roomscribe_dispatcher.worker import messages
from roomscribe_dispatcher.worker.socket import AgentSocket, Send

from .conftest import Sfu

KEY, SECRET = LIVEKIT_KEYS.api_key, LIVEKIT_KEYS.api_secret


class Work:
    """Takes every job."""

    def __init__(self) -> None:
        self.count = 0
        self.taken: list[str] = []
        self.ended: list[str] = []
        self.losses = 0
        self.finished = False

    def offered(self, job: pb.Job) -> pb.WorkerMessage:
        return messages.accept(job.id, "agent", "Agent")

    def assigned(self, job: pb.Job, send: Send) -> None:
        self.taken.append(job.id)

    def terminated(self, job_id: str) -> None:
        self.ended.append(job_id)

    def lost(self) -> None:
        self.losses += 1

    async def finish(self) -> None:
        self.finished = True


@asynccontextmanager
async def connected(url: str, work: Work, *, secret: str = SECRET, ping_s: float = 0.4) -> AsyncGenerator[AgentSocket]:
    socket, stopping = AgentSocket(url, KEY, secret, "roomscribe", work, ping_s=ping_s), asyncio.Event()
    running = asyncio.create_task(socket.run(stopping))
    yield socket
    stopping.set()
    await asyncio.wait_for(running, 10)


class Line:
    """A TCP connection through which LiveKit is reached, and which can go dead without a word."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 0)
        self._held: list[asyncio.Event] = []
        self._writers: list[asyncio.StreamWriter] = []
        self.made = 0
        self.url = ""

    @asynccontextmanager
    async def open(self) -> AsyncGenerator["Line"]:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            for writer in self._writers:
                writer.close()

    def die(self) -> None:
        """Nothing gets through the connections there are, in either direction."""
        for flowing in self._held:
            flowing.clear()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(*self._to)
        self.made += 1
        flowing = asyncio.Event()
        flowing.set()
        self._held.append(flowing)
        self._writers += [writer, far_writer]
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(_flow(reader, far_writer, flowing), _flow(far_reader, writer, flowing))


async def _flow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
    while data := await reader.read(65_536):
        await flowing.wait()
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_line_that_went_dead_is_found_and_the_next_job_comes_over_a_new_one(sfu: Sfu) -> None:
    work, line = Work(), Line(sfu.url)
    async with line.open(), connected(line.url, work) as socket:
        await asyncio.wait_for(socket.registered.wait(), 10)
        line.die()

        async def replaced() -> bool:
            return work.losses == 1 and socket.registered.is_set()

        await until(replaced)
        # The server may still believe in the dead one, and tells nobody of a job it gave there.
        for number in range(20):
            await sfu.dispatch(f"again {number}")

        async def taken() -> bool:
            return bool(work.taken)

        await until(taken)
    assert line.made == 2
    assert work.finished


async def test_the_socket_is_not_ready_until_registered_and_a_wrong_key_is_named(
    sfu: Sfu, caplog: pytest.LogCaptureFixture
) -> None:
    work = Work()
    async with connected(sfu.url, work, secret="another-secret-of-at-least-32-characters") as socket:

        async def told() -> bool:
            return "ROOMSCRIBE_LIVEKIT_API_SECRET" in str([record.__dict__.get("error") for record in caplog.records])

        await until(told)
        with pytest.raises(ConnectionError, match="not registered"):
            await socket.ping()
    async with connected(sfu.url, work) as socket:
        await asyncio.wait_for(socket.registered.wait(), 10)
        await socket.ping()


class Strange:
    """A server that says what no server of today says."""

    def __init__(self) -> None:
        self.heard: list[pb.WorkerMessage] = []
        self.connections = 0

    async def _serve(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        self.connections += 1
        await self._say(ws, pb.ServerMessage(pong=pb.WorkerPong()))
        await self._say(ws, pb.ServerMessage(register=pb.RegisterWorkerResponse(worker_id="AW_1")))
        await ws.send_bytes(b"\xff\xff\xff nonsense")
        await ws.send_str("text")
        await ws.send_bytes(bytes([0xFA, 0x07, 2, 8, 1]))  # field 127, unknown to any version
        await self._say(ws, pb.ServerMessage())
        await self._say(ws, pb.ServerMessage(go_away=pb.AgentHttp.GoAway(reason="update")))
        await self._say(ws, pb.ServerMessage(termination=pb.JobTermination(job_id="AJ_unknown")))
        job = pb.Job(id="AJ_1", room=models.Room(name="planning"))
        await self._say(ws, pb.ServerMessage(availability=pb.AvailabilityRequest(job=job)))
        async for frame in ws:
            if frame.type is aiohttp.WSMsgType.BINARY:
                self.heard.append(pb.WorkerMessage.FromString(frame.data))
        return ws

    async def _say(self, ws: web.WebSocketResponse, message: pb.ServerMessage) -> None:
        await ws.send_bytes(message.SerializeToString())

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        app = web.Application()
        app.router.add_get("/agent", self._serve)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            yield site.name.replace("http", "ws")
        finally:
            await runner.cleanup()


async def test_what_is_not_understood_is_passed_over(caplog: pytest.LogCaptureFixture) -> None:
    strange, work = Strange(), Work()
    with caplog.at_level(logging.WARNING):
        async with strange.open() as url, connected(url, work):

            async def answered() -> bool:
                return any(message.HasField("availability") for message in strange.heard)

            await until(answered)
    said = [message.WhichOneof("message") for message in strange.heard]
    assert (said[0], strange.connections) == ("register", 1)
    [answer] = [message.availability for message in strange.heard if message.HasField("availability")]
    assert (answer.job_id, answer.available, answer.participant_identity) == ("AJ_1", True, "agent")
    assert work.ended == ["AJ_unknown"]
    assert [record.msg for record in caplog.records] == ["message on the agent socket cannot be read"]


async def test_at_the_end_the_worker_says_it_is_full_before_it_closes() -> None:
    strange, work = Strange(), Work()
    async with strange.open() as url:
        async with connected(url, work) as socket:
            await asyncio.wait_for(socket.registered.wait(), 10)
        last = strange.heard[-1]
    assert last.update_worker.status == pb.WS_FULL
    assert work.finished


@pytest.mark.parametrize("jobs", [0, 1, 100, 100_000])
def test_the_load_grows_with_the_jobs_and_never_makes_livekit_pass_us_over(jobs: int) -> None:
    load = messages.status(jobs).update_worker.load
    assert load < 0.7
    assert load < messages.status(jobs + 1_000).update_worker.load
