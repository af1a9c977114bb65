"""What the plumbing's tests share: an event to send, settings for the test server, a bus on it."""

from collections.abc import AsyncGenerator, Callable
from datetime import UTC, datetime

import pytest
from roomscribe_common import connection
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingEndedData
from roomscribe_common.pull import BoundJetStream
from roomscribe_common.settings import CommonSettings
from roomscribe_common.subjects import subject_of

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def ended() -> Callable[[int], MeetingEnded]:
    """Makes the n-th event of the tenant `acme`'s meeting `m`."""

    def make(n: int) -> MeetingEnded:
        data = MeetingEndedData(meeting_id="m", room="r", ended_at=NOW, reason="requested")
        subject = subject_of(MeetingEnded, "acme", "m")
        return MeetingEnded.new(id=f"ended:{n}", source="test", subject=subject, tenant="acme", data=data, time=NOW)

    return make


@pytest.fixture
def settings(streams: str) -> CommonSettings:
    return CommonSettings(nats_url=streams, start_timeout_s=2)


@pytest.fixture
async def bus(streams: str) -> AsyncGenerator[Bus]:
    nc = await connection.connect(streams, "test")
    yield Bus(nc, BoundJetStream(nc), "test")
    await connection.close(nc)
