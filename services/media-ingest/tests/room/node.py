"""A media-ingest node under test: `python -m roomscribe_media_ingest`, its jobs and what it says on the bus."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from nats.aio.client import Client
from nats.aio.msg import Msg
from redis.asyncio import Redis
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.commands import Done, LeaveRoom
from roomscribe_common.contracts.dispatch import DispatchJob, DispatchJobData
from roomscribe_common.ids import new_id
from roomscribe_common.lease import Leases
from roomscribe_common.subjects import leave_room, subject_of
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_media_ingest.adapters import redis as redis_adapter

from .eventually import comes_true, eventually
from .rooms import Rooms

EventT = TypeVar("EventT", bound=AnyEvent)
TENANT = "acme"


class Node:
    """The process, and hands on the bus."""

    def __init__(self, nc: Client, redis: Redis, livekit: Livekit, env: dict[str, str]) -> None:
        self.bus = Bus(nc, nc.jetstream(), "test")  # pyright: ignore[reportUnknownMemberType]  # untyped keywords
        self._redis = redis
        self.leases = Leases(redis, ttl_s=3)
        self.livekit = livekit
        self.log: list[dict[str, Any]] = []
        self._env = env
        self._health_port = 0
        self._messages: list[Msg] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @classmethod
    @asynccontextmanager
    async def running(cls, nats_url: str, redis_url: str, livekit: Livekit, **env: str) -> "AsyncGenerator[Node]":
        settings = {
            "ROOMSCRIBE_NATS_URL": nats_url,
            "ROOMSCRIBE_REDIS_URL": redis_url,
            "ROOMSCRIBE_INGEST_LEASE_TTL_S": "3",
            "ROOMSCRIBE_INGEST_WARM": "1",
            "ROOMSCRIBE_INGEST_DRAIN_TIMEOUT_S": "0",
            **env,
        }
        nc = await connection.connect(nats_url, "test")
        redis = redis_adapter.client(redis_url, 2)
        node = cls(nc, redis, livekit, settings)
        try:
            await nc.subscribe(">", cb=node._hear)  # pyright: ignore[reportUnknownMemberType]  # untyped future
            await node.start()
            yield node
        finally:
            await node.stop()
            await redis.aclose()
            await nc.close()

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "roomscribe_media_ingest",
            stderr=asyncio.subprocess.PIPE,
            env=os.environ | self._env,
            limit=2**20,
        )
        self._reading = asyncio.create_task(self._read())
        self._health_port = (await self.logged("started"))["health_port"]
        await comes_true(self.ready)

    async def ready(self) -> bool:
        """What `/readyz` says."""
        return (await self.get("/readyz")).startswith("HTTP/1.0 200")

    async def get(self, path: str) -> str:
        """A page of the node's health server, with its head."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._health_port)
        writer.write(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        page = (await reader.read()).decode()
        writer.close()
        return page

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        self.tell_to_stop()
        return await self.ended()

    def tell_to_stop(self) -> None:
        """SIGTERM."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.terminate()

    async def ended(self) -> int:
        """The exit code, once nothing is left of it."""
        assert self._process is not None
        assert self._reading is not None
        async with asyncio.timeout(30):
            await self._reading  # ends when nobody holds standard error any more: the room processes inherit it
            return await self._process.wait()

    def kill(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    async def logged(self, message: str, **fields: object) -> dict[str, Any]:
        def found() -> dict[str, Any] | None:
            matching = (line for line in reversed(self.log) if line["message"] == message)
            return next((line for line in matching if fields.items() <= line.items()), None)

        return await eventually(found)

    async def send(self, job: DispatchJob) -> DispatchJob:
        await self.bus.publish(job)
        return job

    async def job(self, rooms: Rooms, room: str, *, meeting: str = "", token: str = "", **data: Any) -> DispatchJob:
        """The next epoch's job, as the dispatcher makes it."""
        meeting = meeting or new_id("mtg")
        epoch = await self.leases.next_epoch(meeting)
        assert await self.leases.acquire(meeting, epoch, ttl_s=15)
        identity = f"roomscribe-{meeting}"
        now = datetime.now(UTC)
        return DispatchJob.new(
            id=new_id("evt"),
            source="test",
            subject=subject_of(DispatchJob, TENANT, meeting),
            tenant=TENANT,
            data=DispatchJobData(
                meeting_id=meeting,
                room=room,
                job_id=new_id("job"),
                epoch=epoch,
                started_at=data.pop("started_at", now),
                issued_at=now,
                livekit_url=self.livekit.url,
                identity=identity,
                token=token or rooms.token(room, identity, "Roomscribe", agent=True),
                empty_room_timeout_s=data.pop("empty_room_timeout_s", 30),
                **data,
            ),
        )

    async def work_queue_is_empty(self) -> None:
        async def empty() -> bool:
            return (await self.bus.js.stream_info("DISPATCH")).state.messages == 0

        await comes_true(empty)

    async def pause_redis(self, ms: int) -> None:
        """For this long nobody gets an answer from Redis."""
        await cast(Awaitable[object], self._redis.execute_command("CLIENT PAUSE", ms, "ALL"))  # pyright: ignore[reportUnknownMemberType]  # untyped options

    async def lease_ms(self, meeting: str) -> int:
        """For how long the meeting is held without another renewal; negative if it is not."""
        return await self._redis.pttl(f"rs:lease:{{{meeting}}}")

    async def tell_to_leave(self, job: DispatchJob) -> None:
        subject = leave_room(TENANT, job.data.meeting_id)
        await self.bus.request(subject, LeaveRoom(epoch=job.data.epoch, reason="requested"), Done)

    def heard(self, event: type[EventT], meeting: str = "") -> list[EventT]:
        """Events of a class so far, of one meeting if given, in order."""
        prefix = f"{event.TYPE}."
        found = [event.model_validate_json(m.data) for m in self._messages if m.subject.startswith(prefix)]
        # An event whose ack was late is published again, and stored once.
        once = {e.id: e for e in found if meeting in ("", e.subject.split(".")[4])}
        return list(once.values())

    async def hears(self, event: type[EventT], meeting: str = "", count: int = 1) -> list[EventT]:
        """The same, once there are `count`."""
        return await eventually(lambda: e if len(e := self.heard(event, meeting)) >= count else None)

    def subjects(self, prefix: str) -> list[Msg]:
        return [m for m in self._messages if m.subject.startswith(prefix)]

    async def _hear(self, msg: Msg) -> None:
        self._messages.append(msg)

    async def _read(self) -> None:
        assert self._process is not None
        assert self._process.stderr is not None
        async for raw in self._process.stderr:
            line = raw.decode()
            self.log.append(json.loads(line) if line.startswith("{") else {"message": line.strip(), "level": "raw"})
