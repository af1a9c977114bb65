"""Says that the agent lives, and what it has done so far; and, at the end, that it left."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from roomscribe_common.contracts.agent import (
    AgentHeartbeat,
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
from roomscribe_common.contracts.dispatch import DispatchJobData

from roomscribe_media_ingest.room.place import Place


def agent_ref(job: DispatchJobData, sids: tuple[str, str], node: str, joined_at: datetime) -> AgentRef:
    """The agent of this job, under these ids of the room and of its own."""
    room_sid, participant_sid = sids
    return AgentRef(
        meeting_id=job.meeting_id,
        room=job.room,
        job_id=job.job_id,
        epoch=job.epoch,
        room_sid=room_sid,
        participant_sid=participant_sid,
        identity=job.identity,
        node=node,
        joined_at=joined_at,
    )


class Heartbeat:
    """Everything this agent says of itself. Ids derive from its connection, so nothing counts twice."""

    def __init__(
        self,
        place: Place,
        ref: AgentRef,
        counters: Callable[[], Counters],
        humans: Callable[[], int],
        now: Callable[[], datetime],
    ) -> None:
        self._place = place
        self._ref = ref
        self._counters = counters
        self._humans = humans
        self._now = now
        self._joined_at = time.monotonic()
        self._seq = 0

    @property
    def ref(self) -> AgentRef:
        """Which agent."""
        return self._ref

    def moved(self, room_sid: str, participant_sid: str) -> AnyEvent | None:
        """The same agent under another connection, after LiveKit lost the one before; None if it is the same."""
        if (room_sid, participant_sid) == (self._ref.room_sid, self._ref.participant_sid):
            return None
        place = {"room_sid": room_sid, "participant_sid": participant_sid, "joined_at": self._now()}
        self._ref = self._ref.model_copy(update=place)
        self._joined_at = time.monotonic()
        # LiveKit tells the agent's new id first and the room's, if that is new, seconds later: both count.
        id = f"agent-joined:{participant_sid}:{room_sid}:{self._ref.epoch}"
        return self._place.event(AgentJoined, id, AgentJoinedData(**self._ref.model_dump(), connect_ms=0))

    @property
    def uptime_ms(self) -> int:
        """Since joining, by the monotonic clock."""
        return round((time.monotonic() - self._joined_at) * 1000)

    def joined(self, connect_ms: int) -> AnyEvent:
        """The agent is in the room."""
        data = AgentJoinedData(**self._ref.model_dump(), connect_ms=connect_ms)
        return self._place.event(AgentJoined, f"agent-joined:{self._ref.participant_sid}:{self._ref.epoch}", data)

    def beat(self, *, final: bool = False) -> AnyEvent:
        """The agent lives."""
        data = AgentHeartbeatData(
            **self._ref.model_dump(),
            seq=self._seq,
            uptime_ms=self.uptime_ms,
            counters=self._counters(),
            humans=self._humans(),
            final=final,
        )
        self._seq += 1
        return self._place.event(AgentHeartbeat, f"beat:{self._ref.participant_sid}:{self._ref.epoch}:{data.seq}", data)

    def left(self, reason: LeaveReason, heard_until: datetime, empty_since: datetime | None) -> AnyEvent:
        """The agent left."""
        data = AgentLeftData(
            **self._ref.model_dump(),
            left_at=self._now(),
            uptime_ms=self.uptime_ms,
            reason=reason,
            counters=self._counters(),
            heard_until=heard_until,
            empty_since=empty_since,
        )
        return self._place.event(AgentLeft, f"agent-left:{self._ref.participant_sid}:{self._ref.epoch}", data)

    async def run(self, every_s: float, send: Callable[[AnyEvent], None]) -> None:
        """Beats for ever."""
        while True:
            await asyncio.sleep(every_s)
            send(self.beat())
