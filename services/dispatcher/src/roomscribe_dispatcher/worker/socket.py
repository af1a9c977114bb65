"""One connection to LiveKit's `/agent`, kept for as long as the service runs."""

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

import aiohttp
from google.protobuf.message import DecodeError
from livekit import api
from livekit.protocol import agent as pb
from roomscribe_common.settings import env_name

from roomscribe_dispatcher.worker import messages

log = logging.getLogger(__name__)

_REGISTER_S: Final = 10.0
_SEND_S: Final = 5.0
_BEAT_S: Final = 2.5
_PING_S: Final = 5.0
"""A connection whose other end is gone is found after one and a half of these."""
_CLOSE_S: Final = 2.0
_FIRST_PAUSE_S: Final = 0.25
_LONGEST_PAUSE_S: Final = 10.0
_STEADY_S: Final = 10.0
"""A connection that lasted so long was a good one: the pauses begin anew."""
VERSION: Final = "1.0"

Send = Callable[[pb.WorkerMessage], Awaitable[None]]
"""Says something about a job, if the connection it came by is still there: else the server has forgotten the job."""


class Lost(Exception):
    """The connection is of no more use; `str()` says why."""


class Work(Protocol):
    """What is done with what the server says. Nothing here may wait: availability is answered at once."""

    @property
    def count(self) -> int:
        """Jobs the server thinks are running here."""
        ...

    def offered(self, job: pb.Job) -> pb.WorkerMessage:
        """The answer to whether we take the job."""
        ...

    def assigned(self, job: pb.Job, send: Send) -> None:
        """We have the job."""
        ...

    def terminated(self, job_id: str) -> None:
        """The server has ended the job."""
        ...

    def lost(self) -> None:
        """The server has forgotten all our jobs: they were those of a connection that is gone."""
        ...

    async def finish(self) -> None:
        """No more jobs; every one there is gets its final status."""
        ...


class AgentSocket:
    """Connects, registers and stays registered."""

    def __init__(
        self, url: str, key: str, secret: str, agent_name: str, work: Work, *, ping_s: float = _PING_S
    ) -> None:
        """`agent_name`: empty to be sent to every new room that names no agent of its own."""
        self._url = url.rstrip("/") + "/agent"
        self._key = key
        self._secret = secret
        self._agent_name = agent_name
        self._work = work
        self._ping_s = ping_s
        self.registered = asyncio.Event()

    async def ping(self) -> None:
        """Raises `ConnectionError` unless registered."""
        if not self.registered.is_set():
            raise ConnectionError("not registered as LiveKit agent worker")

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopped. What is lost is made anew, at once and then after growing pauses."""
        failures = 0
        async with aiohttp.ClientSession() as session:
            while not stopping.is_set():
                began = time.monotonic()
                try:
                    await self._connection(session, stopping)
                except (Lost, aiohttp.ClientError, OSError, TimeoutError) as error:
                    failures = 0 if time.monotonic() - began >= _STEADY_S else failures + 1
                    log.warning("agent socket not connected, trying again", extra={"error": self._why(error)})
                    await _pause(failures, stopping)

    async def _connection(self, session: aiohttp.ClientSession, stopping: asyncio.Event) -> None:
        token = api.AccessToken(self._key, self._secret).with_grants(api.VideoGrants(agent=True)).to_jwt()
        async with asyncio.timeout(_REGISTER_S):
            ws = await session.ws_connect(
                self._url,
                headers={"Authorization": f"Bearer {token}"},
                heartbeat=self._ping_s,
            )
        try:
            async with asyncio.timeout(_REGISTER_S):
                await self._register(ws)
            self.registered.set()
            await self._stay(ws, stopping)
        finally:
            self.registered.clear()
            self._work.lost()
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                async with asyncio.timeout(_CLOSE_S):
                    await ws.close()

    async def _register(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        await _send(ws, messages.register(self._agent_name, VERSION))
        while True:
            message = await _receive(ws)
            if message is not None and message.HasField("register"):
                log.info("registered as agent worker", extra={"worker": message.register.worker_id})
                return

    async def _stay(self, ws: aiohttp.ClientWebSocketResponse, stopping: asyncio.Event) -> None:
        stop = asyncio.create_task(stopping.wait())
        tasks: list[asyncio.Task[Any]] = [
            stop,
            asyncio.create_task(self._listen(ws)),
            asyncio.create_task(self._beat(ws)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:
                await _send(ws, messages.status(self._work.count, full=True))
                await self._work.finish()
                return
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async def send(message: pb.WorkerMessage) -> None:
            with contextlib.suppress(TimeoutError, aiohttp.ClientError, OSError):
                await _send(ws, message)

        while True:
            message = await _receive(ws)
            match message.WhichOneof("message") if message is not None else None:
                case "availability" if message is not None:
                    await _send(ws, self._work.offered(message.availability.job))
                case "assignment" if message is not None:
                    self._work.assigned(message.assignment.job, send)
                case "termination" if message is not None:
                    self._work.terminated(message.termination.job_id)
                case _:
                    pass  # a pong, or what a newer server says

    async def _beat(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await _send(ws, messages.status(self._work.count))
            await asyncio.sleep(_BEAT_S)

    def _why(self, error: Exception) -> str:
        if isinstance(error, aiohttp.WSServerHandshakeError) and error.status in (401, 403):
            keys = f"{env_name('livekit_api_key')} and {env_name('livekit_api_secret')}"
            return f"LiveKit at {self._url} does not take the key: check {keys}"
        return str(error) or type(error).__name__


async def _send(ws: aiohttp.ClientWebSocketResponse, message: pb.WorkerMessage) -> None:
    async with asyncio.timeout(_SEND_S):
        await ws.send_bytes(message.SerializeToString())


async def _receive(ws: aiohttp.ClientWebSocketResponse) -> pb.ServerMessage | None:
    """None for what cannot be read. Raises `Lost` at the end of the connection."""
    frame = await ws.receive()
    if frame.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING, aiohttp.WSMsgType.CLOSED):
        raise Lost(f"closed by LiveKit ({ws.close_code})")
    if frame.type is aiohttp.WSMsgType.ERROR:
        raise Lost(f"broken: {frame.data}")
    if frame.type is not aiohttp.WSMsgType.BINARY:
        return None
    try:
        return pb.ServerMessage.FromString(frame.data)
    except DecodeError:
        log.warning("message on the agent socket cannot be read", extra={"size_bytes": len(frame.data)})
        return None


async def _pause(failures: int, stopping: asyncio.Event) -> None:
    """Replicas that lost the same server do not come back all at once."""
    longest_s = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(failures, 10))
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest_s * random.uniform(0.5, 1.0)):
            await stopping.wait()
