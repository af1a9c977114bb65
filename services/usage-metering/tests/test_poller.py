"""Polls of a real LiveKit server."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from livekit.api import LiveKitAPI
from livekit.protocol.models import ParticipantInfo
from livekit.protocol.room import CreateRoomRequest
from roomscribe_common.testing.fixtures import Livekit
from roomscribe_usage_metering.adapters.livekit_rooms import LivekitRooms, LivekitUnavailable, present
from roomscribe_usage_metering.adapters.store import Room

from .conftest import Bench, Start, until
from .events import Meeting


@pytest.fixture
async def api(livekit: Livekit) -> AsyncIterator[LiveKitAPI]:
    async with LiveKitAPI(livekit.url.replace("ws", "http", 1), livekit.api_key, livekit.api_secret) as api:
        yield api


async def test_a_room_is_told_apart_from_a_later_one_of_the_same_name(api: LiveKitAPI) -> None:
    created = await api.room.create_room(CreateRoomRequest(name="planning"))
    rooms = LivekitRooms(api, 10)
    assert await rooms.open_sids(["planning", "another"]) == {created.sid}
    polled = await rooms.poll(Room("planning", created.sid), 5)
    assert (polled.room_sid, polled.at_ms, polled.present) == (created.sid, 5, ())


async def test_a_server_that_is_not_there_is_no_evidence(livekit: Livekit) -> None:
    async with LiveKitAPI("http://127.0.0.1:1", livekit.api_key, livekit.api_secret) as api:
        rooms = LivekitRooms(api, 5)
        with pytest.raises(LivekitUnavailable):
            await rooms.open_sids(["planning"])
        with pytest.raises(LivekitUnavailable):
            await rooms.poll(Room("planning", "RM_1"), 5)


def test_only_who_is_active_counts_as_present() -> None:
    agent = ParticipantInfo(
        sid="PA_2", identity="a", kind=ParticipantInfo.AGENT, state=ParticipantInfo.ACTIVE, joined_at_ms=1_500
    )
    joining = ParticipantInfo(sid="PA_1", identity="b", state=ParticipantInfo.JOINED, joined_at=1)
    [seen] = present([agent, joining], "RM_1", 2_000)
    assert (seen.participant_sid, seen.participant_kind, seen.joined_ms, seen.seen_ms) == (
        "PA_2",
        "AGENT",
        1_500,
        2_000,
    )


async def test_a_poll_closes_the_ledger_of_a_room_whose_leaves_were_lost(
    metering: Start, bench: Bench, livekit: Livekit
) -> None:
    meeting = Meeting(sid="RM_gone", start=datetime.now(UTC) - timedelta(seconds=60))
    joined = meeting.webhook("participant_joined", "PA_anna", 1, 1)
    settings = {
        "livekit_url": livekit.url,
        "livekit_api_key": livekit.api_key,
        "livekit_api_secret": livekit.api_secret,
        "usage_poll_every_s": 1.0,
        "usage_close_grace_s": 3_600.0,
    }
    async with metering(**settings):
        await bench.say(meeting.started(), meeting.agent_joined(), joined, meeting.agent_left(40), meeting.ended(40))
        await until(bench.settled)
        [told] = await bench.until_told()
    [line] = [line for line in told.data.lines if line.line_id == "webrtc:PA_anna"]
    assert (line.basis, line.open) == ("last_seen", False)
