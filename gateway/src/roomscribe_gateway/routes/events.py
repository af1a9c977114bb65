"""A meeting as it happens."""

from collections.abc import Iterable
from typing import Annotated, Any

import nats.errors
from fastapi import APIRouter, Header, Query
from nats.js import JetStreamContext
from roomscribe_common.errors import Retryable
from roomscribe_common.stored import last

from roomscribe_gateway import problems
from roomscribe_gateway.adapters.tail import last_sequence
from roomscribe_gateway.domain.positions import STREAMS, BadPosition, Positions
from roomscribe_gateway.edge import GivenEdge, MeetingId, Tenant
from roomscribe_gateway.live.meeting_events import MeetingEvents
from roomscribe_gateway.live.response import EventsResponse
from roomscribe_gateway.problems import documented
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1/meetings/{meeting_id}", route_class=StrictRoute, tags=["events"])

_EXAMPLE = 'id: t12-m40-i3\nevent: transcript.final\ndata: {"segment_id":"utt_01","sequence":3,"text":"Hello."}\n\n'
_STREAM: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Server-sent events: `event` is the type without its version (`transcript.final`, "
        "`transcript.interim`, `meeting.ended`, `insight.minutes`…), `data` the event's data. `end` is the last.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/events", responses=_STREAM | documented(400, 404), response_model=None)
async def follow_meeting(
    meeting_id: MeetingId,
    edge: GivenEdge,
    tenant: Tenant,
    last_event_id: Annotated[str | None, Header()] = None,
    last_id: Annotated[str | None, Query(alias="last_event_id", description="As the header `Last-Event-ID`.")] = None,
) -> EventsResponse:
    """From the meeting's first event on, or from the one after `Last-Event-ID`: nothing is missed, nothing repeated."""
    edge.hub.check_room()
    after = _position(last_event_id or last_id)
    nc, js = edge.bus.nc, edge.bus.js
    events = MeetingEvents(nc, js, tenant, meeting_id, after, edge.settings.gateway_end_grace_s)
    try:
        if not await _is_known(js, tenant, meeting_id):
            raise problems.not_found(meeting_id)
        if after != Positions():
            await _check_given(js, after)
        await events.learn_ending()
    except nats.errors.Error as error:
        raise Retryable("the event streams do not answer") from error
    return EventsResponse(events.frames(), edge.hub, edge.settings.gateway_slow_reader_s)


def _position(id: str | None) -> Positions:
    try:
        return Positions.parse(id) if id else Positions()
    except BadPosition as error:
        raise problems.invalid("Last-Event-ID", str(error), 400) from error


async def _is_known(js: JetStreamContext, tenant: str, meeting_id: str) -> bool:
    places: Iterable[tuple[str, str]] = (("MEETINGS", "meeting.v1.*"), ("TRANSCRIPTS", "transcript.v1.*"))
    for stream, kind in places:
        if await last(js, stream, f"{kind}.{tenant}.{meeting_id}") is not None:
            return True
    return False


async def _check_given(js: JetStreamContext, after: Positions) -> None:
    for stream in STREAMS:
        if after.of(stream) > await last_sequence(js, stream):
            raise problems.invalid("Last-Event-ID", f"no such event was ever sent ({stream} is not that far)", 400)
