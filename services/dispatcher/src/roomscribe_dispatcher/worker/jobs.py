"""The jobs LiveKit gave us: each gets its agent, and each a final status before the agent leaves."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Final

from livekit.protocol import agent as pb
from opentelemetry.metrics import Meter
from roomscribe_common import logs
from roomscribe_common.contracts.agent import AgentLeft, LeaveReason
from roomscribe_common.contracts.commands import Done, EndMeeting, StartMeeting
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingFailed
from roomscribe_common.errors import ProblemError, Retryable

from roomscribe_dispatcher.adapters.livekit import AGENT_NAME
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.worker import messages, wanted
from roomscribe_dispatcher.worker.placement import PATIENCE_S, Placed, Placement
from roomscribe_dispatcher.worker.rooms import Rooms
from roomscribe_dispatcher.worker.socket import Send

log = logging.getLogger(__name__)

_SETTLE_S: Final = 1.0
"""LiveKit enters a job into its books only after it has sent it: a final status that is faster is lost, and the job
stays open on the server for good (seen on 1.13.5).
"""
_LOST: Final = frozenset[LeaveReason]({"crashed", "failed", "lease_lost"})
_AT_ONCE: Final = 32
_FINISH_S: Final = 4.0
_END_TRIES: Final = 5

IdentityOf = Callable[[str], str]


@dataclass(eq=False, slots=True)
class Job:
    """One job that is open on the server."""

    job: pb.Job
    send: Send
    assigned_at: float
    command: StartMeeting | None = None
    placed: asyncio.Event = field(default_factory=asyncio.Event)
    ended: tuple[pb.JobStatus, str] | None = None


class Jobs:
    """The open jobs of this replica's connection. A connection that is lost takes its jobs along; agents stay."""

    def __init__(
        self,
        placement: Placement,
        rooms: Rooms,
        end: Callable[[EndMeeting], Awaitable[Done]],
        find: Callable[[str, str], Awaitable[Meeting | None]],
        identity: IdentityOf,
        tenant: str,
        meter: Meter,
    ) -> None:
        self._placement = placement
        self._rooms = rooms
        self._end = end
        self._find = find
        self._identity = identity
        self._tenant = tenant
        self._outcomes = meter.create_counter("roomscribe_agent_jobs", description="LiveKit's jobs, by outcome")
        self._open: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._finishing = False

    @property
    def count(self) -> int:
        """Jobs that are open on the server."""
        return len(self._open)

    def offered(self, job: pb.Job) -> pb.WorkerMessage:
        """Taken, whatever it says: only an assigned job can be given an error. Nobody is asked, so nothing waits."""
        if self._finishing or job.type != pb.JT_ROOM:
            return messages.decline(job.id)
        try:
            meeting_id = self._command(job).spec.meeting_id
        except wanted.BadMetadata:
            meeting_id = wanted.meeting_id(job.room, job.dispatch_id)
        return messages.accept(job.id, self._identity(meeting_id), AGENT_NAME)

    def assigned(self, job: pb.Job, send: Send) -> None:
        """Start its meeting, unless the room has one."""
        opened = Job(job, send, time.monotonic())
        self._open[job.id] = opened
        self._spawn(self._attend(opened))

    def terminated(self, job_id: str) -> None:
        """The dispatch was deleted, or an agent left the room: the server says the same of both."""
        job = self._open.pop(job_id, None)
        if job is not None:
            self._spawn(self._terminate(job))

    def lost(self) -> None:
        """The server has forgotten the jobs of the connection."""
        self._open.clear()

    async def meeting_ending(self, order: EndMeeting) -> Done:
        """Its agent is about to be told to leave."""
        self._over(order.tenant, order.meeting_id, pb.JS_SUCCESS)
        return Done()

    async def agent_left(self, event: AgentLeft) -> None:
        """Heard as soon as the agent says so, before it is gone. LiveKit's job ends with it, whoever follows."""
        lost = event.data.reason in _LOST
        status, error = (pb.JS_FAILED, f"the agent left: {event.data.reason}") if lost else (pb.JS_SUCCESS, "")
        self._over(event.tenant, event.data.meeting_id, status, error)

    async def meeting_ended(self, event: MeetingEnded) -> None:
        """The meeting is over."""
        self._over(event.tenant, event.data.meeting_id, pb.JS_SUCCESS)

    async def meeting_failed(self, event: MeetingFailed) -> None:
        """No agent came."""
        self._over(event.tenant, event.data.meeting_id, pb.JS_FAILED, event.data.detail)

    async def tidy(self) -> None:
        """Ends the jobs of meetings whose end was not heard. Raises `Retryable`."""
        for job in list(self._open.values()):
            if job.command is None or not job.placed.is_set():
                continue
            meeting = await self._find(job.command.tenant, job.command.spec.meeting_id)
            if meeting is not None and meeting.over:
                self._settle(job, pb.JS_SUCCESS if meeting.state == "ended" else pb.JS_FAILED)

    async def finish(self) -> None:
        """Takes no more. The agents stay: their meetings are not over because a dispatcher is."""
        self._finishing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_FINISH_S)
        for job in list(self._open.values()):
            self._settle(job, pb.JS_SUCCESS)
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_FINISH_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _command(self, job: pb.Job) -> StartMeeting:
        return wanted.of_dispatch(job.metadata, job.room, job.dispatch_id or job.id, self._tenant)

    async def _attend(self, job: Job) -> None:
        await job.send(messages.job_status(job.job.id, pb.JS_RUNNING))
        placed = await self._place(job)
        self._outcomes.add(1, {"outcome": placed.outcome})
        job.placed.set()
        extra = {"job": job.job.id, "dispatch": job.job.dispatch_id, "outcome": placed.outcome}
        match placed.outcome:
            case "placed":
                log.info("job taken", extra=extra)
                if job.ended is not None:
                    self._settle(job, *job.ended)
            case "attached":
                log.info("job of a room that has its agent", extra=extra)
                self._settle(job, pb.JS_SUCCESS)
            case _:
                log.warning("job refused", extra=extra | {"error": placed.detail})
                self._settle(job, pb.JS_FAILED, placed.detail)

    async def _place(self, job: Job) -> Placed:
        origin = job.job.dispatch_id or job.job.id
        try:
            job.command = self._command(job.job)
        except wanted.BadMetadata as error:
            await self._placement.decide(origin)
            return Placed("refused", f"metadata: {error}")
        async with self._slots:
            placed = await self._placement.place(origin, job.command)
        if placed.outcome != "placed":
            job.command = None  # its end is none of the room's meeting
        return placed

    def _over(self, tenant: str, meeting_id: str, status: pb.JobStatus, error: str = "") -> None:
        for job in list(self._open.values()):
            of = job.command
            if of is None or (of.tenant, of.spec.meeting_id) != (tenant, meeting_id):
                continue
            if job.placed.is_set():
                self._settle(job, status, error)
            else:
                job.ended = (status, error)

    def _settle(self, job: Job, status: pb.JobStatus, error: str = "") -> None:
        if self._open.pop(job.job.id, None) is not None:
            self._spawn(self._say_final(job, status, error))

    async def _say_final(self, job: Job, status: pb.JobStatus, error: str) -> None:
        await asyncio.sleep(max(0.0, job.assigned_at + _SETTLE_S - time.monotonic()))
        await job.send(messages.job_status(job.job.id, status, error))

    async def _terminate(self, job: Job) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2 * PATIENCE_S):
                await job.placed.wait()
        if job.command is None:
            return
        with logs.bound(tenant=job.command.tenant, meeting=job.command.spec.meeting_id):
            for _ in range(_END_TRIES):
                try:
                    await self._end_if_deleted(job, job.command)
                    break
                except Retryable as error:
                    log.warning("terminated job not looked at, trying again", extra={"error": error.reason})
                    await asyncio.sleep(error.delay_s)
                except ProblemError as error:
                    log.warning("meeting not ended", extra={"error": error.problem.detail})
                    break

    async def _end_if_deleted(self, job: Job, command: StartMeeting) -> None:
        room = await self._rooms.named(job.job.room.name)
        if room is None or room.sid != job.job.room.sid:
            return  # closed: the meeting hears of that by itself
        if any(dispatch.id == job.job.dispatch_id for dispatch in await self._rooms.dispatches(room.name)):
            log.info("job ended by LiveKit, its agent left the room", extra={"job": job.job.id})
            return
        log.info("dispatch deleted, the meeting ends", extra={"job": job.job.id, "dispatch": job.job.dispatch_id})
        await self._end(EndMeeting(tenant=command.tenant, meeting_id=command.spec.meeting_id))

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("job not followed to its end", exc_info=error)
