"""Open, list, look at and end meetings; let people in."""

import math
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from roomscribe_common.contracts.commands import Done, EndMeeting, MeetingView, StartMeeting
from roomscribe_common.contracts.meeting import MeetingState
from roomscribe_common.errors import ProblemError
from roomscribe_common.ids import TOKEN_PATTERN, new_id
from roomscribe_common.subjects import END_MEETING, START_MEETING

from roomscribe_gateway import problems
from roomscribe_gateway.archive.reads import MeetingRecord
from roomscribe_gateway.edge import Edge, GivenEdge, MeetingId, Tenant
from roomscribe_gateway.models import (
    Ending,
    Links,
    Meeting,
    MeetingDetail,
    MeetingList,
    NewMeeting,
    NewToken,
    Person,
    RoomToken,
)
from roomscribe_gateway.problems import documented, key_reused
from roomscribe_gateway.recent import is_over, request_of
from roomscribe_gateway.strict import StrictRoute

router = APIRouter(prefix="/v1/meetings", route_class=StrictRoute, tags=["meetings"])

_AGENT_PREFIX = "roomscribe-"
_ATTENDED: dict[int | str, dict[str, Any]] = {
    200: {"model": Meeting, "description": "The room is attended already: that meeting, and no second agent."}
}
IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$", description="The same key opens one meeting."),
]


@router.post("", status_code=201, responses=_ATTENDED | documented(400, 409, 413, 415, 429))
async def open_meeting(
    body: NewMeeting, edge: GivenEdge, tenant: Tenant, response: Response, idempotency_key: IdempotencyKey = None
) -> Meeting:
    """Sends the agent into a room, now or at `join_at`."""
    edge.livekit_or_refuse()
    command = StartMeeting(tenant=tenant, spec=body.spec(new_id("mtg")), idempotency_key=idempotency_key)
    view = await edge.ask(START_MEETING, command, MeetingView)
    if not view.created and not await _is_repeat(edge, command, view):
        response.status_code = 200
    response.headers["Location"] = Links.of(view.spec.meeting_id).self
    return Meeting.of_view(view)


@router.get("", responses=documented())
async def list_meetings(
    edge: GivenEdge,
    tenant: Tenant,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(pattern=TOKEN_PATTERN, description="`next_cursor` of the page before.")] = None,
    state: Annotated[MeetingState | None, Query()] = None,
    room: Annotated[str | None, Query(min_length=1, max_length=256, pattern=r"^[^\x00]*$")] = None,
    series: Annotated[str | None, Query(pattern=TOKEN_PATTERN, description="Those of one series.")] = None,
) -> MeetingList:
    """The tenant's meetings, newest first."""
    found = await edge.archive.meetings(
        tenant, limit=limit + 1, before=cursor, state=state, room=room, series_id=series
    )
    page = found[:limit]
    return MeetingList(
        meetings=[Meeting.of(record) for record in page],
        next_cursor=page[-1].spec.meeting_id if len(found) > limit else None,
    )


@router.get("/{meeting_id}", responses=documented(404))
async def get_meeting(meeting_id: MeetingId, edge: GivenEdge, tenant: Tenant) -> MeetingDetail:
    """One meeting: its state, why, and who was there."""
    meeting = Meeting.of(await edge.meeting(tenant, meeting_id))
    return MeetingDetail(
        **meeting.model_dump(),
        participants=[Person.of(attendee) for attendee in await edge.archive.roster(tenant, meeting_id)],
        segments=await edge.archive.segment_count(tenant, meeting_id),
    )


@router.post("/{meeting_id}/end", status_code=202, responses=documented(404))
async def end_meeting(meeting_id: MeetingId, edge: GivenEdge, tenant: Tenant) -> Ending:
    """The agent leaves and the minutes are written; a scheduled meeting is cancelled. Ending one that is over is no
    error.
    """
    record = await edge.meeting(tenant, meeting_id)
    state = record.state
    if state not in ("ended", "failed"):
        await edge.ask(END_MEETING, EndMeeting(tenant=tenant, meeting_id=meeting_id), Done)
        state = "ended" if await is_over(edge.bus.js, tenant, meeting_id) else state
    return Ending(id=meeting_id, state=state, links=Links.of(meeting_id))


@router.post("/{meeting_id}/tokens", status_code=201, responses=documented(400, 404, 409, 413, 415))
async def make_token(meeting_id: MeetingId, body: NewToken, edge: GivenEdge, tenant: Tenant) -> RoomToken:
    """A LiveKit token with which a person joins the meeting's room. It is good for six hours; so for a scheduled
    meeting it is given from shortly before its time.
    """
    livekit = edge.livekit_or_refuse()
    if body.identity.startswith(_AGENT_PREFIX):
        raise problems.invalid("identity", f"must not begin with '{_AGENT_PREFIX}': those are Roomscribe's agents")
    record = await edge.meeting(tenant, meeting_id)
    if record.state in ("ended", "failed"):
        detail = f"The meeting {meeting_id} is {record.state}: nobody can join it. Open another with POST /v1/meetings."
        raise ProblemError.of("meeting-over", 409, "The meeting is over", detail)
    _check_time(record, datetime.now(UTC), edge.settings.gateway_tokens_early_s)
    token, expires_at = livekit.token(record.spec.room, body.identity, body.name, datetime.now(UTC))
    return RoomToken(url=livekit.url, token=token, room=record.spec.room, identity=body.identity, expires_at=expires_at)


def _check_time(record: MeetingRecord, now: datetime, early_s: float) -> None:
    """A token opens the room and cannot be taken back: one given long before would outlive a cancelled meeting."""
    if record.state != "scheduled" or record.spec.join_at is None:
        return
    wait_s = (record.spec.join_at - now).total_seconds() - early_s
    if wait_s > 0:
        detail = (
            f"The meeting {record.spec.meeting_id} is at {record.spec.join_at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}; "
            f"tokens are given from {early_s:g} seconds before."
        )
        early = ProblemError.of("too-early", 409, "The meeting is not open yet", detail)
        raise ProblemError(early.problem.model_copy(update={"retry_after_s": math.ceil(wait_s)}))


async def _is_repeat(edge: Edge, asked: StartMeeting, view: MeetingView) -> bool:
    """Whether the meeting that was there came from this very call, made before. Raises 409 if its body was another."""
    if asked.idempotency_key is None:
        return False
    first = await request_of(edge.bus.js, asked.tenant, view.spec.meeting_id)
    if first is None or first.data.idempotency_key != asked.idempotency_key:
        return False
    if view.spec.model_dump(exclude={"meeting_id"}) != asked.spec.model_dump(exclude={"meeting_id"}):
        raise key_reused(view.spec.meeting_id)
    return True
