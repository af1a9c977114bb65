"""What the MEETINGS stream says of meetings: the durable truth that Redis is rebuilt from."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js import JetStreamContext
from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.meeting import (
    MeetingEnded,
    MeetingFailed,
    MeetingRequested,
    MeetingSpec,
    MeetingStarted,
    MeetingState,
)
from roomscribe_common.lease import Heard
from roomscribe_common.stored import last
from roomscribe_common.subjects import AUDIO_CHUNK
from roomscribe_common.told import all_events, last_event

from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.events import SOURCE
from roomscribe_dispatcher.loss import Signs


class History:
    """Reads meetings from the stream. Every call raises `Retryable` when it does not answer."""

    def __init__(self, nc: Client, js: JetStreamContext) -> None:
        self._nc = nc
        self._js = js

    async def wanted(self) -> list[Meeting]:
        """The meetings that were requested of a dispatcher, and neither ended nor failed."""
        # Those that are over first: of a year's meetings only ids are held, and no request but of those still open.
        over = {(event.tenant, event.data.meeting_id) async for event in all_events(self._nc, MeetingEnded)}
        over.update([(event.tenant, event.data.meeting_id) async for event in all_events(self._nc, MeetingFailed)])
        requests = {
            (event.tenant, event.data.meeting_id): event
            async for event in all_events(self._nc, MeetingRequested)
            if event.source == SOURCE and (event.tenant, event.data.meeting_id) not in over
        }
        restored = [await self._restored(event) for event in requests.values()]
        return [meeting for meeting in restored if not meeting.over]

    async def meeting(self, tenant: str, meeting_id: str) -> Meeting | None:
        """One meeting; None if no dispatcher was ever asked for it."""
        request = await last_event(self._js, MeetingRequested, tenant, meeting_id)
        return None if request is None or request.source != SOURCE else await self._restored(request)

    async def last_left(self, meeting: Meeting) -> AgentLeft | None:
        """The last word of the meeting's last agent that had one."""
        return await last_event(self._js, AgentLeft, meeting.tenant, meeting.id)

    async def signs(self, meeting: Meeting, said: Heard | None) -> Signs:
        """What is known of the meeting's last agents."""
        left, beat, chunk = await asyncio.gather(
            self.last_left(meeting),
            last_event(self._js, AgentHeartbeat, meeting.tenant, meeting.id),
            last(self._js, "AUDIO", f"{AUDIO_CHUNK}.{meeting.tenant}.{meeting.id}.>"),
        )
        return Signs(left, beat, said, None if chunk is None else _cut_at(chunk.headers))

    async def _restored(self, request: MeetingRequested) -> Meeting:
        tenant, data = request.tenant, request.data
        # Asked again of each that seemed to be wanted: it may have ended since the stream was read.
        started, agent, ended, failed = await asyncio.gather(
            last_event(self._js, MeetingStarted, tenant, data.meeting_id),
            last_event(self._js, AgentJoined, tenant, data.meeting_id),
            last_event(self._js, MeetingEnded, tenant, data.meeting_id),
            last_event(self._js, MeetingFailed, tenant, data.meeting_id),
        )
        state: MeetingState = "scheduled" if data.started_at is None else "dispatching"
        started_at = data.started_at
        if started is not None:
            state, started_at = "live", started.data.started_at
        elif agent is not None:  # the dispatcher has yet to hear of it
            state, started_at = "live", data.started_at or data.join_at or agent.data.joined_at
        if ended is not None:
            state = "ended"
        elif failed is not None:
            state = "failed"
        return Meeting(
            tenant=tenant,
            spec=MeetingSpec.model_validate(data.model_dump(include=set(MeetingSpec.model_fields))),
            requested_at=data.requested_at,
            started_at=started_at,
            empty_room_timeout_s=data.empty_room_timeout_s,
            idempotency_key=data.idempotency_key,
            state=state,
            epoch=agent.data.epoch if agent else 0,
            attempts=1 if agent else 0,
            issued_at=agent.data.joined_at if agent else None,
            joined_at=agent.data.joined_at if agent else None,
            room_sid=agent.data.room_sid if agent else None,
        )


def _cut_at(headers: Mapping[str, str]) -> datetime | None:
    try:
        return datetime.fromtimestamp(ChunkHeaders.from_headers(headers).sent_at_ms / 1000, UTC)
    except ValueError:
        return None
