"""A real LiveKit server beside the dispatcher: who is in its rooms, what it was told of its jobs, who dispatches."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
from livekit import api
from livekit.protocol import models
from livekit.protocol.rtc import LeaveRequest, SignalRequest
from roomscribe_common.servers import LocalServer
from roomscribe_common.testing.fixtures import LIVEKIT_KEYS
from roomscribe_common.testing.providers import Server, Servers
from roomscribe_common.testing.until import until

from ..conftest import TENANT, Agent, Bench, Start  # noqa: TID252  # tests are no installed package; said once, here

__all__ = ["TENANT", "Agent", "Bench", "JobLine", "Participant", "Sfu", "Start"]

AGENT = "roomscribe"


class Participant:
    """Somebody connected to a room, as far as signalling goes."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self._ws = ws

    async def leave(self) -> None:
        """As a client does that is asked to."""
        with suppress(ConnectionError):
            await self._ws.send_bytes(SignalRequest(leave=LeaveRequest()).SerializeToString())
        await self._ws.close()


@dataclass(frozen=True)
class JobLine:
    """What the server's log says of one job."""

    job_id: str
    status: str
    error: str


class Sfu:
    """One LiveKit server, asked from outside."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = server.url
        self.client = api.LiveKitAPI(server.url, LIVEKIT_KEYS.api_key, LIVEKIT_KEYS.api_secret, failover=False)
        self._session = aiohttp.ClientSession()

    async def close(self) -> None:
        await self._session.close()
        await self.client.aclose()

    async def dispatch(self, room: str, metadata: object = None, agent_name: str = AGENT) -> str:
        """`metadata`: a text, or what is sent as JSON."""
        text = metadata if isinstance(metadata, str) else "" if metadata is None else json.dumps(metadata)
        request = api.CreateAgentDispatchRequest(agent_name=agent_name, room=room, metadata=text)
        return (await self.client.agent_dispatch.create_dispatch(request)).id

    def token(self, room: str, identity: str, metadata: object = None) -> str:
        """Somebody's token; with `metadata`, one that dispatches the agent where the room is made by it."""
        grants = api.VideoGrants(room_join=True, room=room)
        token = api.AccessToken(LIVEKIT_KEYS.api_key, LIVEKIT_KEYS.api_secret).with_identity(identity)
        if metadata is not None:
            agent = api.RoomAgentDispatch(agent_name=AGENT, metadata=json.dumps(metadata))
            token = token.with_room_config(api.RoomConfiguration(agents=[agent]))
        return token.with_grants(grants).to_jwt()

    async def join(self, token: str) -> Participant:
        params = {"access_token": token, "protocol": "16", "sdk": "python", "auto_subscribe": "0"}
        ws = await self._session.ws_connect(f"{self.url}/rtc", params=params)
        frame = await ws.receive(timeout=10)
        assert frame.type is aiohttp.WSMsgType.BINARY
        return Participant(ws)

    async def people(self, room: str) -> list[models.ParticipantInfo]:
        answer = await self.client.room.list_participants(api.ListParticipantsRequest(room=room))
        return list(answer.participants)

    def log(self) -> list[dict[str, Any]]:
        """The server's own words: nothing else tells of a job it has forgotten to close."""
        assert isinstance(self.server, LocalServer)
        lines = self.server.log.read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def said(self, message: str, **fields: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["msg"] == message and fields.items() <= line.items()]

    def job(self, room: str) -> str | None:
        """The job a worker was given for a room."""
        return next((line["jobID"] for line in self.said("assigned job to worker", room=room)), None)

    async def until_job(self, room: str) -> str:
        found: list[str] = []

        async def assigned() -> bool:
            found.extend(job for job in [self.job(room)] if job is not None)
            return bool(found)

        await until(assigned, 20)
        return found[0]

    async def until_ended(self, job_id: str) -> JobLine:
        """The job is closed on the server."""

        async def ended() -> bool:
            return bool(self.said("job ended", jobID=job_id))

        await until(ended, 20)
        line = self.said("job ended", jobID=job_id)[0]
        return JobLine(job_id, line["status"], line["error"])

    async def until_workers(self, count: int) -> None:
        """So many workers have registered since the server's log began, and are still there."""

        async def there() -> bool:
            return len(self.said("worker registered")) - len(self.said("closing worker")) >= count

        await until(there, 20)


@pytest.fixture(scope="module")
def livekit_server(servers: Servers) -> Server:
    return servers.start("livekit")


@pytest.fixture
async def sfu(livekit_server: Server) -> AsyncIterator[Sfu]:
    made = Sfu(livekit_server)
    yield made
    # The next test begins with an empty bus: it would take what is dispatched here for something it missed.
    for room in (await made.client.room.list_rooms(api.ListRoomsRequest())).rooms:
        await made.client.room.delete_room(api.DeleteRoomRequest(room=room.name))
    await made.close()


@pytest.fixture
def worker(dispatcher: Start, sfu: Sfu) -> Start:
    """A replica whose LiveKit is there: `async with worker("two"):`."""

    def start(instance: str = "one", **settings: object) -> Any:
        known: dict[str, object] = {
            "livekit_url": sfu.url,
            "livekit_api_key": LIVEKIT_KEYS.api_key,
            "livekit_api_secret": LIVEKIT_KEYS.api_secret,
            "dispatcher_placement_timeout_s": 30,
        }
        return dispatcher(instance, **(known | settings))

    return start
