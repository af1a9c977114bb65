import pytest
from roomscribe_common.errors import Permanent
from roomscribe_usage_metering.domain import translate
from roomscribe_usage_metering.domain.evidence import AgentSeen, ConnectionSeen, RoomFinished

from .events import START, Meeting, after, webhook

T0_MS = int(START.timestamp() * 1000)


def test_a_leave_keeps_when_the_connection_began() -> None:
    record = translate.of_webhook(Meeting().webhook("participant_left", "PA_anna", 70, 1.25))
    assert record is not None
    assert (record.tenant, record.room_sid, record.meeting) == ("_", "RM_1", None)
    assert record.fact == ConnectionSeen(
        room_sid="RM_1",
        participant_sid="PA_anna",
        identity="pa_anna",
        participant_kind="STANDARD",
        joined_ms=T0_MS + 1_250,
        left_ms=T0_MS + 70_000,
    )


def test_an_older_server_that_tells_whole_seconds_only_is_understood() -> None:
    body: dict[str, object] = {"participant": {"sid": "PA_1", "joinedAt": str(T0_MS // 1000), "kind": "AGENT"}}
    record = translate.of_webhook(webhook("participant_joined", "EV_1", "RM_1", after(1), body))
    assert record is not None
    assert isinstance(record.fact, ConnectionSeen)
    assert (record.fact.joined_ms, record.fact.participant_kind) == (T0_MS, "AGENT")


def test_an_aborted_connection_says_so() -> None:
    record = translate.of_webhook(Meeting().webhook("participant_connection_aborted", "PA_1", 20))
    assert record is not None
    assert isinstance(record.fact, ConnectionSeen)
    assert record.fact.aborted


def test_the_end_of_a_room_is_evidence_and_its_tracks_are_not() -> None:
    finished = translate.of_webhook(Meeting().room_finished(90))
    assert finished is not None
    assert finished.fact == RoomFinished(room_sid="RM_1", at_ms=T0_MS + 90_000)
    assert translate.of_webhook(webhook("track_published", "EV_2", "RM_1", after(1), {})) is None


@pytest.mark.parametrize(
    "participant", [None, "anna", {}, {"sid": ""}, {"sid": "PA_1", "joinedAtMs": "soon"}, {"sid": 5}]
)
def test_a_bad_participant_is_refused_and_not_quoted(participant: object) -> None:
    with pytest.raises(Permanent, match="participant_left with a bad participant") as refused:
        translate.of_webhook(webhook("participant_left", "EV_3", "RM_1", after(1), {"participant": participant}))
    assert "soon" not in refused.value.reason


def test_an_agents_word_carries_its_uptime_and_whether_it_left() -> None:
    meeting = Meeting()
    joined, beat, left = (
        translate.of_agent(event).fact
        for event in (meeting.agent_joined(), meeting.heartbeat(3), meeting.agent_left(50.5))
    )
    assert isinstance(joined, AgentSeen)
    assert isinstance(beat, AgentSeen)
    assert isinstance(left, AgentSeen)
    assert [(f.uptime_ms, f.left) for f in (joined, beat, left)] == [(0, False), (45_000, False), (50_500, True)]
    assert {f.joined_ms for f in (joined, beat, left)} == {T0_MS}
