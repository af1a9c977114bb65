"""A meeting that was asked for a moment ago: known to the stream before it is in the archive."""

from datetime import UTC, datetime

from nats.js import JetStreamContext
from roomscribe_common.contracts.meeting import MeetingRequested, MeetingSpec
from roomscribe_common.errors import Permanent
from roomscribe_common.reader import Reader
from roomscribe_common.stored import last
from roomscribe_common.subjects import subject_of

from roomscribe_gateway.archive.reads import MeetingRecord


async def request_of(js: JetStreamContext, tenant: str, meeting_id: str) -> MeetingRequested | None:
    """The event with which a meeting began. Raises `Retryable` if the stream does not answer."""
    subject = subject_of(MeetingRequested, tenant, meeting_id)
    found = await last(js, "MEETINGS", subject)
    try:
        return None if found is None else Reader(MeetingRequested).read(subject, found.data)
    except Permanent:
        return None


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
