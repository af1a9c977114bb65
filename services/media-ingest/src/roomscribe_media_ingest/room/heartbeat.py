"""Says that the agent lives, and what it has done so far; and, at the end, that it left."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

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

from roomscribe_media_ingest.room.place import Place


class Heartbeat:
    """Everything this agent says of itself. Ids derive from its connection, so nothing counts twice."""

    def __init__(
        self, place: Place, ref: AgentRef, counters: Callable[[], Counters], humans: Callable[[], int]
    ) -> None:
        self._place = place
        self._ref = ref
        self._counters = counters
        self._humans = humans
        self._joined_at = time.monotonic()
        self._seq = 0

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

    def left(self, reason: LeaveReason) -> AnyEvent:
        """The agent left."""
        data = AgentLeftData(
            **self._ref.model_dump(),
            left_at=datetime.now(UTC),
            uptime_ms=self.uptime_ms,
            reason=reason,
            counters=self._counters(),
        )
        return self._place.event(AgentLeft, f"agent-left:{self._ref.participant_sid}:{self._ref.epoch}", data)

    async def run(self, every_s: float, send: Callable[[AnyEvent], None]) -> None:
        """Beats for ever."""
        while True:
            await asyncio.sleep(every_s)
            send(self.beat())
