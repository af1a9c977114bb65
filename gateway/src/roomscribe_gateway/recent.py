"""What was asked for a moment ago: known to the stream before it is in the archive."""

from datetime import UTC, datetime

from nats.js import JetStreamContext
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingRequested, MeetingSpec
from roomscribe_common.contracts.series import SeriesEnded, SeriesRequested, SeriesSpec
from roomscribe_common.told import last_event

from roomscribe_gateway.archive.reads import MeetingRecord, SeriesRecord


async def request_of(js: JetStreamContext, tenant: str, meeting_id: str) -> MeetingRequested | None:
    """The event with which a meeting began. Raises `Retryable` if the stream does not answer."""
    return await last_event(js, MeetingRequested, tenant, meeting_id)


async def is_over(js: JetStreamContext, tenant: str, meeting_id: str) -> bool:
    """Whether the meeting has ended. Raises `Retryable`."""
    return await last_event(js, MeetingEnded, tenant, meeting_id) is not None


async def just_requested(js: JetStreamContext, tenant: str, meeting_id: str) -> MeetingRecord | None:
    """The meeting as its request has it: scheduled or dispatching. Raises `Retryable`."""
    event = await request_of(js, tenant, meeting_id)
    if event is None:
        return None
    data = event.data
    spec = MeetingSpec.model_validate(data.model_dump(include=set(MeetingSpec.model_fields)))
    waits = data.started_at is None and data.join_at is not None and data.join_at > datetime.now(UTC)
    state = "scheduled" if waits else "dispatching"
    return MeetingRecord(spec=spec, state=state, requested_at=data.requested_at, started_at=data.started_at)


async def series_of(js: JetStreamContext, tenant: str, series_id: str) -> SeriesRecord | None:
    """The series as the stream has it. Raises `Retryable`."""
    event = await last_event(js, SeriesRequested, tenant, series_id)
    if event is None:
        return None
    ended = await last_event(js, SeriesEnded, tenant, series_id)
    spec = SeriesSpec.model_validate(event.data.model_dump(include=set(SeriesSpec.model_fields)))
    over = (None, None) if ended is None else (ended.data.ended_at, ended.data.reason)
    return SeriesRecord(spec, event.data.requested_at, *over)
