"""Claims jobs while there is room for them, and brings each into a process of its own."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, Protocol

import nats.errors
from nats.aio.msg import Msg
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.logs import bound
from roomscribe_common.reader import Reader

from roomscribe_media_ingest.node.lost import crashed
from roomscribe_media_ingest.node.pool import WarmPool
from roomscribe_media_ingest.node.protocol import Refused
from roomscribe_media_ingest.node.room_process import RoomLost, RoomProcess
from roomscribe_media_ingest.node.tallies import Tallies
from roomscribe_media_ingest.settings import IngestSettings

log = logging.getLogger(__name__)

CONSUMER: Final = "media-ingest-dispatch"
_FETCH_S: Final = 2.0
_DRAINED_S: Final = 1.0


class Pull(Protocol):
    """The work queue."""

    async def fetch(self, batch: int = 1, timeout: float | None = 5) -> list[Msg]:
        """At most `batch` messages; raises `nats.errors.Error` if there is none."""
        ...


Settle = Callable[[Msg, Callable[[], Awaitable[Any]]], Awaitable[None]]
"""Calls a handler and acks, nacks or dead-letters the message by what it did; extends the claim meanwhile."""


class Supervisor:
    """All meetings of a node. `run` claims; `retire` claims no more and waits for their ends; `drain` ends them."""

    def __init__(
        self,
        pull: Pull,
        settle: Settle,
        publish: Callable[[AnyEvent], Awaitable[Any]],
        pool: WarmPool,
        tallies: Tallies,
        settings: IngestSettings,
    ) -> None:
        """`publish` stores an event; raises `Retryable` or `Permanent` if it could not."""
        self._pull = pull
        self._settle = settle
        self._publish = publish
        self._pool = pool
        self._tallies = tallies
        self._settings = settings
        self._reader = Reader(DispatchJob)
        self._free = asyncio.Semaphore(settings.ingest_rooms)
        self._rooms: dict[tuple[str, int], RoomProcess] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._draining = False

    @property
    def rooms(self) -> int:
        """Meetings attended now."""
        return len(self._rooms)

    @property
    def full(self) -> bool:
        """Whether no job can be taken now."""
        return self._free.locked()

    async def run(self) -> None:
        """Claims a job whenever a room is free, until cancelled or retired."""
        while True:
            await self._free.acquire()
            msg = None
            try:
                msg = await self._next()
            finally:
                if msg is None:
                    self._free.release()
            if msg is None:
                return
            task = asyncio.create_task(self._claimed(msg))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def retire(self) -> None:
        """Claims no more. Returns once the last meeting is over, or the time for it; those that go on are told then."""
        self._draining = True
        log.info("draining", extra={"rooms": self.rooms})
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._settings.ingest_drain_timeout_s):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        log.info("drained", extra={"rooms": self.rooms})

    async def drain(self) -> None:
        """Ends every meeting: what is open reaches the bus first. Whoever is not gone in time is killed."""
        self._draining = True
        leaving = [*self._rooms.values(), *self._pool.close()]
        for room in leaving:
            room.leave()
        await _gone(leaving, self._settings.leave_timeout_s)
        for room in leaving:
            if room.alive:
                log.error("room process killed, it did not leave in time", extra={"pid": room.pid})
                room.kill()
        await _gone(leaving, _DRAINED_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _next(self) -> Msg | None:
        """None once the node retires."""
        while not self._draining:
            with contextlib.suppress(nats.errors.TimeoutError):
                for msg in await self._pull.fetch(1, _FETCH_S):
                    return msg
        return None

    async def _claimed(self, msg: Msg) -> None:
        """One job, from claim to the end of its meeting; the place is free again after it."""
        started: list[RoomProcess] = []
        try:
            try:
                await self._settle(msg, partial(self._place, msg, started))
            except nats.errors.Error:
                log.exception("job could not be settled, it will be delivered again")
            for room in started:
                await self._attended(room)
        finally:
            self._free.release()
            for key in [key for key, room in self._rooms.items() if room in started]:
                del self._rooms[key]

    async def _place(self, msg: Msg, started: list[RoomProcess]) -> None:
        """Returns once the agent is in the room or need not be. Raises `Retryable` or `Permanent` if it is not."""
        began = time.monotonic()
        job = self._reader.read(msg.subject, msg.data)
        key = (job.data.meeting_id, job.data.epoch)
        if key in self._rooms:
            return  # its ack was lost: the agent is there
        if self._draining:
            raise Retryable("the node is stopping", delay_s=0)
        try:
            room = await self._pool.take(self._settings.ingest_join_timeout_s)
        except TimeoutError as error:
            raise Retryable("no warm room process in time") from error
        self._rooms[key] = room
        started.append(room)
        try:
            answer = await room.attend(job, msg.headers or {}, self._settings.ingest_join_timeout_s + 1)
        except RoomLost as error:
            raise self._again(msg, str(error)) from error
        finally:
            self._pool.refill()
        if isinstance(answer, Refused):
            if answer.stale:
                log.info("job dropped, a later epoch has the meeting", extra={"epoch": job.data.epoch})
                return
            raise self._again(msg, answer.reason)
        self._tallies.joined(room, time.monotonic() - began)
        log.info("joined", extra={"epoch": job.data.epoch, "pid": room.pid, "connect_ms": answer.connect_ms})

    def _again(self, msg: Msg, reason: str) -> Retryable | Permanent:
        deliveries = msg.metadata.num_delivered
        log.warning("agent did not join", extra={"deliveries": deliveries, "error": reason})
        self._tallies.failed()
        if deliveries >= self._settings.ingest_join_attempts:
            return Permanent(f"the agent did not join in {deliveries} attempts: {reason}")
        return Retryable(reason, delay_s=0.5 * 2 ** (deliveries - 1))

    async def _attended(self, room: RoomProcess) -> None:
        exit_code = await asyncio.shield(room.ended)
        if room.job is None or room.agent is None:
            return
        with bound(tenant=room.job.tenant, meeting=room.job.data.meeting_id):
            self._tallies.ended(room)
            if room.reason is None:
                log.error("room process lost", extra={"pid": room.pid, "exit_code": exit_code})
                await self._tell_lost(room)
            else:
                log.info("left", extra={"pid": room.pid, "reason": room.reason})

    async def _tell_lost(self, room: RoomProcess) -> None:
        """The dispatcher need not wait for the lease to run out: it sends the next epoch, to any node that has room."""
        event = crashed(room)
        try:
            if event is not None:
                await self._publish(event)
        except (Retryable, Permanent) as error:
            log.error("the loss could not be told", extra={"reason": error.reason})


async def _gone(rooms: list[RoomProcess], timeout_s: float) -> None:
    waiting = [room.ended for room in rooms if room.alive]
    if waiting:
        await asyncio.wait(waiting, timeout=timeout_s)
