import pytest
from roomscribe_common.contracts.agent import ModelCounters
from roomscribe_common.errors import Permanent
from roomscribe_usage_metering.domain import translate
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    ConnectionSeen,
    EgressSeen,
    Record,
    RoomFinished,
    TokensUsed,
)

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


EGRESS: dict[str, object] = {
    "egressId": "EG_1",
    "roomId": "RM_1",
    "status": "EGRESS_COMPLETE",
    "startedAt": str(T0_MS * 1_000_000 + 999_999),
    "endedAt": str(T0_MS * 1_000_000 + 61_000_000_000),
    "updatedAt": str(T0_MS * 1_000_000 + 61_500_000_000),
}


def recorded(event: str, **info: object) -> Record | None:
    # LiveKit names no room beside an egress: it is in its info.
    return translate.of_webhook(webhook(event, "EV_4", "", after(61), {"egressInfo": EGRESS | info}))


def test_the_end_of_a_recording_carries_its_whole_time_in_nanoseconds() -> None:
    record = recorded("egress_ended", roomComposite={})
    assert record is not None
    assert record.room_sid == "RM_1"
    assert record.fact == EgressSeen(
        room_sid="RM_1",
        egress_id="EG_1",
        direct=False,
        seen_ms=T0_MS + 61_500,
        started_ms=T0_MS,
        ended_ms=T0_MS + 61_000,
    )


def test_a_recording_of_one_track_is_direct_and_an_aborted_one_says_so() -> None:
    record = recorded("egress_ended", track={"trackId": "TR_1"}, status="EGRESS_ABORTED")
    assert record is not None
    assert isinstance(record.fact, EgressSeen)
    assert (record.fact.direct, record.fact.aborted) == (True, True)


def test_a_recording_that_runs_has_no_end_whatever_the_info_says() -> None:
    record = recorded("egress_updated")
    assert record is not None
    assert isinstance(record.fact, EgressSeen)
    assert record.fact.ended_ms is None


def test_a_recording_of_a_web_page_is_of_no_room() -> None:
    assert recorded("egress_started", roomId="") is None


def test_what_no_ledger_can_hold_is_refused_with_its_limit() -> None:
    beat = Meeting().heartbeat(1)
    forever = beat.model_copy(update={"data": beat.data.model_copy(update={"uptime_ms": 10**30})})
    with pytest.raises(Permanent, match=r"agent.v1.heartbeat with a bad uptime_ms: .* less than or equal to 1000"):
        translate.of_agent(forever)
    tokens = Meeting().tokens("llm_1")
    many = tokens.model_copy(update={"data": tokens.data.model_copy(update={"input_tokens": 10**30})})
    with pytest.raises(Permanent, match="bad input_tokens"):
        translate.of_tokens(many)


def test_an_agents_counters_travel_with_its_word() -> None:
    beat = Meeting().heartbeat(1)
    used = [ModelCounters(provider="openai", model="m", tts_characters=7)]
    told = beat.model_copy(update={"data": beat.data.model_copy(update={"models": used, "received_bytes": 5})})
    fact = translate.of_agent(told).fact
    assert isinstance(fact, AgentSeen)
    assert (fact.models, fact.received_bytes) == (tuple(used), 5)


def test_cached_tokens_and_the_agents_epoch_are_kept() -> None:
    tokens = Meeting().tokens("llm_1")
    cached = tokens.model_copy(update={"data": tokens.data.model_copy(update={"cached_input_tokens": 40})})
    fact = translate.of_tokens(cached).fact
    assert isinstance(fact, TokensUsed)
    assert fact.cached_tokens == 40
    heard = translate.of_final(Meeting().final("utt_1", 100)).fact
    assert isinstance(heard, AudioDecoded)
    assert heard.epoch == 1
