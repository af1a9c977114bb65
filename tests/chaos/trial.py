"""Holds a real meeting on a running stack while faults happen to it, and gathers the evidence."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from livekit import api
from nats.aio.client import Client
from redis.asyncio import Redis
from redis.exceptions import RedisError
from roomscribe_cli.client import Endpoint, Gateway, GatewayError, ServerSentEvent
from roomscribe_cli.demo.people import Cast, Happened
from roomscribe_cli.demo.script import Script
from roomscribe_cli.testing import Up
from roomscribe_common import connection
from roomscribe_common.contracts.usage import MeetingUsageData
from roomscribe_common.errors import Retryable
from roomscribe_common.testing.until import until

from tests.chaos.crowd import crowd
from tests.chaos.evidence import Evidence, Live, Look, Stored
from tests.chaos.faults import At, Faults
from tests.chaos.minutes import wrong_minutes
from tests.chaos.streams import connections, read_meeting
from tests.chaos.watch import follow, hearing, members, watch_room

_CALL_WITHIN_S = 120.0
_JOIN_WITHIN_S = 60.0
_SETTLE_WITHIN_S = 60.0
_AGAIN_S = 0.25
AnswerT = TypeVar("AnswerT")


@dataclass
class World:
    """A running stack and connections to everything that can be asked about it from outside."""

    up: Up
    gateway: Gateway
    livekit: api.LiveKitAPI
    nc: Client
    redis: Redis
    faults: Faults
    meetings: dict[str, str] = field(default_factory=dict[str, str])
    """The ids of the meetings that were held, by room."""

    async def hold(self, script: Script, *faults: At) -> Evidence:
        """A meeting from its request to the end of its bill; the faults happen at their seconds of the script."""
        return await Trial(self, script, faults).held()

    async def hold_all(self, scripts: Sequence[Script], *faults: At) -> list[Evidence]:
        """Several meetings at once. The faults happen at seconds of the first."""
        async with asyncio.TaskGroup() as group:
            held = [
                group.create_task(Trial(self, script, faults if i == 0 else ()).held())
                for i, script in enumerate(scripts)
            ]
        return [task.result() for task in held]

    async def start(self, room: str, title: str) -> str:
        """The id of a meeting that is asked for as patiently as a client should."""
        return await _willing(lambda: self.gateway.start(room, title))

    async def end(self, meeting: str) -> None:
        """Ends a meeting, as patiently."""
        await _willing(lambda: self.gateway.end(meeting))


@asynccontextmanager
async def world(up: Up) -> AsyncGenerator[World]:
    """Connections to a ready stack."""
    facts = up.facts
    assert facts.livekit is not None, "these tests need a LiveKit server; see `roomscribe doctor`"
    async with AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(Gateway(Endpoint(facts.gateway, facts.api_key)))
        http = facts.livekit.url.replace("ws", "http", 1)
        livekit = await stack.enter_async_context(api.LiveKitAPI(http, facts.livekit.api_key, facts.livekit.api_secret))
        nc = await connection.connect(facts.nats, "chaos")
        stack.push_async_callback(connection.close, nc)
        redis = Redis.from_url(facts.redis)  # pyright: ignore[reportUnknownMemberType]
        stack.push_async_callback(redis.aclose)
        yield World(up, gateway, livekit, nc, redis, Faults(up))


class Trial:
    """One meeting."""

    def __init__(self, world: World, script: Script, faults: Sequence[At]) -> None:
        self._world = world
        self._script = script
        self._faults = faults
        self._live = Live()
        self._told: list[ServerSentEvent] = []
        self._looks: list[Look] = []

    async def held(self) -> Evidence:
        """The whole meeting."""
        world, script = self._world, self._script
        meeting = world.meetings[script.room] = await world.start(script.room, script.title)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(hearing(world.nc, meeting, self._live))
            await stack.enter_async_context(_beside(watch_room(world.livekit, script.room, self._looks)))
            following = asyncio.create_task(follow(world.gateway, meeting, self._told))
            stack.push_async_callback(_cancelled, following)
            await self._agent_there()
            people = await stack.enter_async_context(crowd(await self._cast(meeting)))
            began = await people.gathered()
            async with asyncio.TaskGroup() as group:
                group.create_task(people.gone(began + script.end_s - time.time()))
                for at in self._faults:
                    group.create_task(self._strike(at, began))
            await world.end(meeting)
            stored = await self._whole(meeting)
            with suppress(TimeoutError, GatewayError):
                await asyncio.wait_for(following, _SETTLE_WITHIN_S)
            return await self._evidence(meeting, began, stored, people.happened)

    async def _cast(self, meeting: str) -> Cast:
        gateway = self._world.gateway
        people = self._script.people
        access = [await _willing(lambda p=p: gateway.token(meeting, p.identity, p.name)) for p in people]
        tokens = {person.identity: str(given["token"]) for person, given in zip(people, access, strict=True)}
        return Cast(url=access[0]["url"], tokens=tokens, script=self._script)

    async def _agent_there(self) -> None:
        async def there() -> bool:
            return bool(self._looks) and any(member.agent for member in self._looks[-1].members or [])

        await until(there, _JOIN_WITHIN_S)

    async def _strike(self, at: At, began: float) -> None:
        await asyncio.sleep(max(0.0, began + at.second - time.time()))
        await at.fault(self._world.faults)

    async def _whole(self, meeting: str) -> Stored:
        """What the streams hold once the transcript is said to be complete and its minutes are written."""
        deadline = time.monotonic() + _SETTLE_WITHIN_S
        stored = Stored()
        while time.monotonic() < deadline:
            with suppress(Retryable):
                stored = await read_meeting(self._world.nc, meeting)
                if stored.completed and stored.minutes:
                    # Read stream by stream: what came in between is in it now.
                    return await read_meeting(self._world.nc, meeting)
            await asyncio.sleep(_AGAIN_S)
        return stored

    async def _evidence(self, meeting: str, began: float, stored: Stored, happened: list[Happened]) -> Evidence:
        world = self._world
        evidence = Evidence(
            meeting=meeting,
            script=self._script,
            began=began,
            stored=stored,
            live=self._live,
            told=self._told,
            looks=self._looks,
            connections=[],
            happened=happened,
            usage=None,
            archived=[],
            left_behind=[],
        )
        deadline = time.monotonic() + _SETTLE_WITHIN_S
        while True:
            evidence.connections = await connections(world.nc, self._script.room, self._looks)
            evidence.usage = MeetingUsageData.model_validate(await _willing(lambda: world.gateway.usage(meeting)))
            evidence.archived = await self._archived(meeting)
            evidence.left_behind = await self._left_behind(meeting)
            late = evidence.left_behind or wrong_minutes(evidence) or len(evidence.archived) < len(stored.finals)
            if not late or time.monotonic() > deadline:
                return evidence
            await asyncio.sleep(_AGAIN_S)

    async def _archived(self, meeting: str) -> list[str]:
        document = await _willing(lambda: self._world.gateway.transcript(meeting, "json"))
        return segment_ids(document)

    async def _left_behind(self, meeting: str) -> list[str]:
        """Whatever of the meeting is still there although it is over."""
        world, found = self._world, list[str]()
        tails = {"STT": f"stt.v1.utterance.*.{meeting}.>", "AUDIO": f"audio.v1.*.*.{meeting}.>"}
        tails |= {"DISPATCH": f"dispatch.v1.job.*.{meeting}", "DEAD_LETTERS": f"dead.v1.*.*.{meeting}"}
        for stream, subject in tails.items():
            info = await world.nc.jetstream().stream_info(stream, subjects_filter=subject)  # pyright: ignore[reportUnknownMemberType]
            found += [f"{count} messages on {name}" for name, count in (info.state.subjects or {}).items()]
        with suppress(RedisError):
            if await world.redis.exists(f"rs:lease:{{{meeting}}}"):
                found.append("the lease")
        if world.faults.processes(f"room-{meeting}"):
            found.append("the room process")
        if any(member.agent for member in self._looks[-1].members or []):
            found.append("the agent in LiveKit")
        return found


def segment_ids(document: bytes) -> list[str]:
    """The ids in a transcript's JSON."""
    return [segment["segment_id"] for segment in json.loads(document)["segments"]]


async def agents_in(livekit: api.LiveKitAPI, room: str) -> int:
    """How many agents LiveKit lists in a room; none, if it does not answer."""
    return len(await agents_of(livekit, room))


async def agents_of(livekit: api.LiveKitAPI, room: str) -> set[str]:
    """The connections of these agents."""
    return {member.sid for member in await members(livekit, room) or [] if member.agent}


async def _willing(call: Callable[[], Awaitable[AnswerT]]) -> AnswerT:
    """What a patient caller gets: it asks again while the gateway is away or says to try later."""
    deadline = time.monotonic() + _CALL_WITHIN_S
    while True:
        try:
            return await call()
        except GatewayError:
            if time.monotonic() > deadline:
                raise
        await asyncio.sleep(_AGAIN_S)


@asynccontextmanager
async def _beside(coro: Coroutine[Any, Any, None]) -> AsyncGenerator[None]:
    """Runs beside the block."""
    task = asyncio.create_task(coro)
    try:
        yield
    finally:
        await _cancelled(task)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled() and (error := task.exception()) is not None and not isinstance(error, GatewayError):
        raise error
