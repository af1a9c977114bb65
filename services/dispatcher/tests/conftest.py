"""A dispatcher on real NATS and Redis, and what stands around it: callers, a node, an agent in a room."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from typing import TypeVar

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DeliverPolicy
from pydantic import JsonValue
from redis.asyncio import Redis
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.agent import (
    AgentHeartbeatData,
    AgentJoined,
    AgentJoinedData,
    AgentLeft,
    AgentLeftData,
    AgentRef,
    Counters,
    LeaveReason,
)
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.commands import (
    Done,
    EndMeeting,
    EndSeries,
    LeaveRoom,
    MeetingView,
    SeriesView,
    StartMeeting,
    StartSeries,
)
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.livekit import LivekitEvent, LivekitEventData
from roomscribe_common.contracts.meeting import (
    EndReason,
    MeetingDelayed,
    MeetingEnded,
    MeetingFailed,
    MeetingRequested,
    MeetingSpec,
    MeetingStarted,
)
from roomscribe_common.contracts.series import SeriesEnded, SeriesSpec
from roomscribe_common.errors import ProblemError
from roomscribe_common.ids import new_id
from roomscribe_common.lease import Leases
from roomscribe_common.service import Service
from roomscribe_common.stored import stored
from roomscribe_common.subjects import (
    END_MEETING,
    END_SERIES,
    START_MEETING,
    START_SERIES,
    leave_room,
    subject_of,
    wildcard,
)
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_common.testing.service import running_service
from roomscribe_common.testing.settled import settled
from roomscribe_dispatcher.adapters import redis as redis_adapter
from roomscribe_dispatcher.app import build
from roomscribe_dispatcher.settings import DispatcherSettings

TENANT = "acme"
ROOM_SID = "RM_first"
NOBODY_THERE = "ws://127.0.0.1:9"
EventT = TypeVar("EventT", bound=AnyEvent)


class Agent:
    """Stands for a room process that has taken a job."""

    def __init__(self, bench: "Bench", job: DispatchJob, room_sid: str = ROOM_SID) -> None:
        self.bench = bench
        self.job = job.data
        self.tenant = job.tenant
        self.room_sid = room_sid
        self.joined_at: datetime | None = None
        self.orders: list[LeaveRoom] = []

    def ref(self) -> AgentRef:
        return AgentRef(
            meeting_id=self.job.meeting_id,
            room=self.job.room,
            job_id=self.job.job_id,
            epoch=self.job.epoch,
            room_sid=self.room_sid,
            participant_sid="PA_agent",
            identity=self.job.identity,
            node="node-1",
            joined_at=self.joined_at or datetime.now(UTC),
        )

    async def renew(self, ttl_s: float = 30, heard_until: datetime | None = None) -> bool:
        leases = Leases(self.bench.redis, ttl_s)
        return await leases.renew(self.job.meeting_id, self.job.epoch, heard_until) == self.job.epoch

    async def give_up_lease(self) -> None:
        await Leases(self.bench.redis, 30).release(self.job.meeting_id, self.job.epoch)

    async def join(self, ttl_s: float = 30) -> "Agent":
        assert await self.renew(ttl_s)
        await self.publish_joined()
        return self

    async def publish_joined(self) -> None:
        data = AgentJoinedData(**dict(self.ref()), connect_ms=80)
        await self.bench.publish(AgentJoined, f"joined:{self.job.meeting_id}:{self.job.epoch}", data)

    async def leave(self, reason: LeaveReason) -> None:
        await self.say_left(reason)
        await self.give_up_lease()

    async def say_left(self, reason: LeaveReason, left_at: datetime | None = None) -> None:
        at = left_at or datetime.now(UTC)
        data = AgentLeftData(**dict(self.ref()), left_at=at, uptime_ms=1000, reason=reason, counters=Counters())
        await self.bench.publish(AgentLeft, f"left:{self.job.meeting_id}:{self.job.epoch}", data)

    async def obey(self) -> None:
        """Answer orders to leave; the test decides when the agent is gone."""

        async def ordered(order: LeaveRoom) -> Done:
            self.orders.append(order)
            return Done()

        await self.bench.bus.reply(leave_room(self.tenant, self.job.meeting_id), ordered, LeaveRoom)
        await self.bench.nc.flush()


class Bench:
    """Everything around the dispatcher."""

    def __init__(self, nc: Client, redis: Redis) -> None:
        self.nc = nc
        self.js = JetStreamContext(nc)
        self.bus = Bus(nc, self.js, "test")
        self.redis = redis

    async def start(
        self,
        room: str = "planning",
        *,
        key: str | None = None,
        meeting_id: str | None = None,
        join_at: datetime | None = None,
        tenant: str = TENANT,
        empty_room_timeout_s: float | None = None,
        **more: object,
    ) -> MeetingView:
        given = {"meeting_id": meeting_id or new_id("mtg"), "room": room, "join_at": join_at}
        spec = MeetingSpec.model_validate(given | more)
        command = StartMeeting(tenant=tenant, spec=spec, idempotency_key=key, empty_room_timeout_s=empty_room_timeout_s)
        return await self.bus.request(START_MEETING, command, MeetingView, 10)

    async def start_series(
        self,
        recurrence: str = "FREQ=DAILY",
        *,
        join_at: datetime,
        time_zone: str = "Europe/Vienna",
        key: str | None = None,
        **more: object,
    ) -> SeriesView:
        given = {"series_id": new_id("ser"), "room": "daily", "recurrence": recurrence, "time_zone": time_zone}
        spec = SeriesSpec.model_validate(given | {"join_at": join_at} | more)
        command = StartSeries(tenant=TENANT, spec=spec, idempotency_key=key)
        return await self.bus.request(START_SERIES, command, SeriesView, 10)

    async def end_series(self, series_id: str) -> None:
        await self.bus.request(END_SERIES, EndSeries(tenant=TENANT, series_id=series_id), Done, 10)

    async def end(self, meeting_id: str, reason: EndReason = "requested", tenant: str = TENANT) -> None:
        await self.bus.request(END_MEETING, EndMeeting(tenant=tenant, meeting_id=meeting_id, reason=reason), Done, 10)

    async def publish(
        self, event: type[AnyEvent], id: str, data: AgentJoinedData | AgentHeartbeatData | AgentLeftData
    ) -> None:
        """Stored without a message id, so that no dedupe window stands between a test and a duplicate."""
        subject = subject_of(event, TENANT, data.meeting_id)
        made = event.new(id=id, source="media-ingest", subject=subject, tenant=TENANT, data=data)
        await self.js.publish(subject, made.to_bytes())

    async def webhook(
        self, name: str, room: str, room_sid: str, at: datetime | None = None, **body: JsonValue
    ) -> datetime:
        """Returns when LiveKit says it happened."""
        now = at or datetime.now(UTC)
        data = LivekitEventData(
            event=name,
            livekit_id=new_id("EV"),
            room=room,
            room_sid=room_sid,
            created_at=now,
            received_at=now,
            body={"event": name} | body,
        )
        subject = subject_of(LivekitEvent, "_", room_sid)
        event = LivekitEvent.new(id=data.livekit_id, source="gateway", subject=subject, tenant="_", data=data)
        await self.js.publish(subject, event.to_bytes())
        return now

    async def passed(self, moment: datetime) -> bool:
        return datetime.now(UTC) > moment

    async def all(self, stream: str, event: type[EventT]) -> list[EventT]:
        return [event.model_validate_json(m.data) async for m in stored(self.nc, stream, wildcard(event))]

    async def jobs(self) -> list[DispatchJob]:
        return await self.all("DISPATCH", DispatchJob)

    async def requested(self) -> list[MeetingRequested]:
        return await self.all("MEETINGS", MeetingRequested)

    async def started(self) -> list[MeetingStarted]:
        return await self.all("MEETINGS", MeetingStarted)

    async def ended(self) -> list[MeetingEnded]:
        return await self.all("MEETINGS", MeetingEnded)

    async def delayed(self) -> list[MeetingDelayed]:
        return await self.all("MEETINGS", MeetingDelayed)

    async def series_ended(self) -> list[SeriesEnded]:
        return await self.all("MEETINGS", SeriesEnded)

    async def forget(self) -> None:
        """Redis comes back with an empty memory."""
        await self.redis.flushall()  # pyright: ignore[reportUnknownMemberType]  # untyped in redis-py

    async def failed(self) -> list[MeetingFailed]:
        return await self.all("MEETINGS", MeetingFailed)

    async def until(self, reached: Callable[[], Awaitable[bool]], timeout_s: float = 20.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not await reached():
            assert time.monotonic() < deadline, "the condition was not reached in time"
            await asyncio.sleep(0.02)

    async def until_ended(self, count: int = 1) -> MeetingEnded:
        async def reached() -> bool:
            return len(await self.ended()) >= count

        await self.until(reached)
        return (await self.ended())[-1]

    async def until_started(self) -> MeetingStarted:
        async def reached() -> bool:
            return bool(await self.started())

        await self.until(reached)
        return (await self.started())[-1]

    async def until_job(self, epoch: int, timeout_s: float = 20.0) -> DispatchJob:
        async def reached() -> bool:
            return any(job.data.epoch >= epoch for job in await self.jobs())

        await self.until(reached, timeout_s)
        return (await self.jobs())[-1]

    async def until_state(self, meeting_id: str, state: str) -> MeetingView:
        async def reached() -> bool:
            return (await self.start("elsewhere", meeting_id=meeting_id)).state == state

        await self.until(reached)
        return await self.start("elsewhere", meeting_id=meeting_id)

    async def settled(self, consumer: str = "dispatcher-meetings") -> bool:
        """Everything published for the consumer so far is acked."""
        return await settled(self.js, consumer)

    async def forget_duplicates(self) -> None:
        """Make the meetings' dedupe window so short that only the stored state can tell a duplicate."""
        config = (await self.js.stream_info("MEETINGS")).config
        config.duplicate_window = 0.1
        await self.js.update_stream(config)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py

    async def skip_events(self) -> None:
        """What the dispatcher's consumer has not delivered yet, it never will."""
        name = "dispatcher-meetings"
        config = (await self.js.consumer_info("MEETINGS", name)).config
        config.opt_start_seq = (await self.js.stream_info("MEETINGS")).state.last_seq + 1
        config.deliver_policy = DeliverPolicy.BY_START_SEQUENCE
        await self.js.delete_consumer("MEETINGS", name)
        await self.js.add_consumer("MEETINGS", config)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py

    async def start_when_there(self, room: str, meeting_id: str) -> MeetingView:
        """As `start`, asking again until somebody listens."""
        while True:
            try:
                return await self.start(room, meeting_id=meeting_id)
            except ProblemError:
                await asyncio.sleep(0.05)

    async def agent(
        self, epoch: int = 1, ttl_s: float = 30, room_sid: str = ROOM_SID, joined_at: datetime | None = None
    ) -> Agent:
        """An agent in the room for the last job, known to the dispatcher."""
        agent = Agent(self, await self.until_job(epoch), room_sid)
        agent.joined_at = joined_at
        await agent.join(ttl_s)
        await self.until(self.settled)
        return agent


Running = AbstractAsyncContextManager[Service[DispatcherSettings]]
Start = Callable[..., Running]


@pytest.fixture
def dispatcher(streams: str, redis_url: str, livekit: Livekit) -> Start:
    """Starts a replica, impatient so that tests are quick: `async with dispatcher():`."""

    def start(instance: str = "one", **settings: object) -> Running:
        impatient: dict[str, object] = {
            "nats_url": streams,
            "redis_url": redis_url,
            "livekit_url": livekit.url,
            "livekit_api_key": livekit.api_key,
            "livekit_api_secret": livekit.api_secret,
            "instance": instance,
            "dispatcher_tick_s": 0.05,
            "dispatcher_placement_timeout_s": 1,
            "ingest_lease_ttl_s": 1,
            "dispatcher_leave_timeout_s": 1,
        }
        built = DispatcherSettings.model_validate(impatient | settings)
        return running_service("dispatcher", built, build)

    return start


@pytest.fixture
async def bench(streams: str, redis_url: str) -> AsyncIterator[Bench]:
    nc = await nats.connect(streams, connect_timeout=5)  # pyright: ignore[reportUnknownMemberType]  # untyped in nats-py
    redis = redis_adapter.client(redis_url)
    yield Bench(nc, redis)
    await redis.aclose()
    await nc.close()
