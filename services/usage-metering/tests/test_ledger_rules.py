"""What is billed, case by case."""

from fractions import Fraction

from roomscribe_common.contracts.usage import UsageLine
from roomscribe_usage_metering.domain.connections import connections
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    Claim,
    ConnectionSeen,
    Evidence,
    MeetingKey,
    MeetingOver,
    RoomFinished,
    RoomPolled,
    TokensUsed,
)
from roomscribe_usage_metering.domain.ledger import derive, quantities, totals
from roomscribe_usage_metering.domain.lines import Line, to_usage_line

KEY = MeetingKey("acme", "mtg_1")
ROOM, SID = "planning", "RM_1"
T0 = 1_795_000_000_000


def agent(
    uptime_ms: int = 0, *, epoch: int = 1, joined_ms: int = T0, sid: str = "PA_agent", left: bool = False
) -> AgentSeen:
    return AgentSeen(
        room=ROOM,
        room_sid=SID,
        participant_sid=sid,
        identity="roomscribe-mtg_1",
        job_id=f"job_{epoch}",
        epoch=epoch,
        joined_ms=joined_ms,
        uptime_ms=uptime_ms,
        left=left,
    )


def seen(sid: str, kind: str = "STANDARD", room_sid: str = SID, **times: int | bool | None) -> ConnectionSeen:
    facts = {"joined_ms": T0, **times}
    return ConnectionSeen(room_sid=room_sid, participant_sid=sid, identity=sid.lower(), participant_kind=kind, **facts)  # pyright: ignore[reportArgumentType] — the keywords are those of the model


def polled(at_ms: int, *sids: str) -> RoomPolled:
    return RoomPolled(room_sid=SID, at_ms=at_ms, present=tuple(seen(sid, seen_ms=at_ms) for sid in sids))


def over(at_ms: int) -> MeetingOver:
    return MeetingOver(room=ROOM, ended_ms=at_ms)


def lines(*facts: Evidence, neighbours: tuple[Claim, ...] = ()) -> dict[str, UsageLine]:
    return {line.line_id: to_usage_line(line) for line in derive(KEY, [agent(), *facts], neighbours).lines}


def test_a_leave_alone_rebuilds_the_whole_connection() -> None:
    line = lines(seen("PA_anna", left_ms=T0 + 60_001))["webrtc:PA_anna"]
    assert (line.quantity, line.billed, line.basis, line.open) == (60_001, "2", "left", False)


def test_a_connection_runs_to_its_last_sighting_until_something_ends_it() -> None:
    line = lines(seen("PA_anna", seen_ms=T0), polled(T0 + 30_000, "PA_anna"))["webrtc:PA_anna"]
    assert (line.quantity, line.basis, line.open) == (30_000, "last_seen", True)


def test_the_end_of_the_room_ends_whoever_was_not_seen_leaving() -> None:
    line = lines(seen("PA_anna", seen_ms=T0), RoomFinished(room_sid=SID, at_ms=T0 + 90_000))["webrtc:PA_anna"]
    assert (line.quantity, line.billed, line.basis, line.open) == (90_000, "2", "room_finished", False)


def test_the_last_sighting_counts_in_whatever_order_polls_come() -> None:
    polls = [polled(T0 + at_ms, "PA_anna") for at_ms in (60_000, 90_000, 30_000)]
    assert lines(*polls)["webrtc:PA_anna"].quantity == 90_000


def test_somebody_missing_from_a_later_poll_had_gone() -> None:
    line = lines(polled(T0 + 30_000, "PA_anna"), polled(T0 + 60_000))["webrtc:PA_anna"]
    assert (line.quantity, line.basis, line.open) == (30_000, "last_seen", False)


def test_a_poll_within_clock_skew_of_the_last_sighting_proves_nothing() -> None:
    line = lines(seen("PA_anna", seen_ms=T0 + 1_000), polled(T0 + 3_000))["webrtc:PA_anna"]
    assert line.open


def test_of_two_leaves_the_earlier_counts_and_of_two_joins_as_well() -> None:
    looks = [
        seen("PA_anna", joined_ms=T0, left_ms=T0 + 90_000),
        seen("PA_anna", joined_ms=T0 + 5, left_ms=T0 + 60_000),
    ]
    assert [[c.duration_ms for c in connections(order)] for order in (looks, looks[::-1])] == [[60_000], [60_000]]


def test_a_connection_that_was_never_active_is_free() -> None:
    assert "webrtc:PA_anna" not in lines(seen("PA_anna", left_ms=T0 + 20_000, aborted=True))


def test_a_leave_cut_to_the_second_still_bills_the_started_minute() -> None:
    line = lines(seen("PA_anna", joined_ms=T0 + 900, left_ms=T0))["webrtc:PA_anna"]
    assert (line.quantity, line.billed) == (1, "1")


def test_only_people_and_agents_are_billed_as_connections() -> None:
    kinds = ("STANDARD", "AGENT", "SIP", "EGRESS", "INGRESS", "CONNECTOR", "BRIDGE")
    found = lines(*(seen(f"PA_{kind}", kind, left_ms=T0 + 1_000) for kind in kinds))
    assert {id_ for id_ in found if id_.startswith("webrtc")} == {"webrtc:PA_STANDARD", "webrtc:PA_AGENT"}


def test_somebody_who_comes_back_is_a_second_connection_with_its_own_started_minute() -> None:
    found = lines(seen("PA_1", left_ms=T0 + 10_000), seen("PA_2", joined_ms=T0 + 20_000, left_ms=T0 + 30_000))
    assert totals(found.values())["webrtc_participant_minutes"] == "2"


def test_a_killed_agent_is_billed_to_its_last_heartbeat_though_the_sfu_noticed_later() -> None:
    sfu = seen("PA_agent", "AGENT", left_ms=T0 + 140_000)
    line = lines(agent(105_000), agent(120_000), sfu, over(T0 + 150_000))["agent:job_1:PA_agent"]
    assert (line.quantity, line.billed, line.basis, line.open) == (120_000, "2", "last_heartbeat", False)


def test_an_agent_that_left_before_the_sfu_said_so_is_billed_by_its_own_clock() -> None:
    sfu = seen("PA_agent", "AGENT", joined_ms=T0 + 20, left_ms=T0 + 62_000)
    line = lines(agent(60_000), agent(61_500, left=True), sfu)["agent:job_1:PA_agent"]
    assert (line.quantity, line.basis, line.open) == (61_500, "agent_left", False)


def test_an_agent_the_sfu_gave_up_is_billed_to_the_sfus_end() -> None:
    sfu = seen("PA_agent", "AGENT", left_ms=T0 + 60_000)
    line = lines(agent(300_000), sfu)["agent:job_1:PA_agent"]
    assert (line.quantity, line.basis, line.open) == (60_000, "left", False)


def test_each_epoch_is_a_session_and_the_newer_one_ends_the_older() -> None:
    found = lines(agent(61_000), agent(10_000, epoch=2, joined_ms=T0 + 70_000, sid="PA_agent2"))
    first, second = found["agent:job_1:PA_agent"], found["agent:job_2:PA_agent2"]
    assert (first.billed, first.open) == ("2", False)
    assert (second.billed, second.open) == ("1", True)
    assert totals(found.values())["agent_session_minutes"] == "3"


def audio(utterance: str, audio_ms: int, track: str = "TR_1", model: str = "tiny") -> AudioDecoded:
    return AudioDecoded(
        room=ROOM,
        utterance_id=utterance,
        track_id=track,
        identity="anna",
        provider="moonshine",
        model=model,
        audio_ms=audio_ms,
        start_ms=T0,
        end_ms=T0 + audio_ms,
    )


def test_speech_to_text_is_summed_by_track_and_model_before_it_is_rounded() -> None:
    found = lines(audio("utt_1", 1_400), audio("utt_2", 1_400), audio("utt_3", 500, model="base"))
    assert found["stt:TR_1:0:moonshine/tiny"].quantity == 2_800
    assert found["stt:TR_1:0:moonshine/tiny"].billed == "0.05"
    assert found["stt:TR_1:0:moonshine/base"].billed == "0.016666666667"


def test_what_is_priced_is_the_exact_fraction_of_a_minute() -> None:
    found = derive(KEY, [agent(), audio("utt_1", 50_001)])
    assert quantities(found.lines)["stt_audio_minutes"] == Fraction(51, 60)
    assert quantities([*found.lines, *found.lines])["stt_audio_minutes"] == Fraction(102, 60)
    assert quantities(derive(KEY, [agent(), audio("utt_1", 1)]).lines)["stt_audio_minutes"] == Fraction(1, 60)


def test_a_second_final_of_an_utterance_counts_once() -> None:
    assert lines(audio("utt_1", 1_400), audio("utt_1", 900))["stt:TR_1:0:moonshine/tiny"].quantity == 1_400


def test_tokens_are_summed_over_requests_per_model() -> None:
    first = TokensUsed(request_id="llm_1", provider="openai", model="m", input_tokens=100, output_tokens=20, at_ms=T0)
    second = first.model_copy(update={"request_id": "llm_2", "output_tokens": 5})
    found = lines(first, first, second)
    assert (found["llm_in:openai/m"].billed, found["llm_out:openai/m"].billed) == ("200", "25")


def test_connections_of_rooms_the_meeting_was_not_in_are_not_its_own() -> None:
    assert "webrtc:PA_x" not in lines(seen("PA_x", room_sid="RM_other", left_ms=T0 + 1_000))


def test_two_meetings_in_one_room_share_no_connection() -> None:
    other = MeetingKey("globex", "mtg_2")
    facts: list[Evidence] = [
        seen("PA_early", joined_ms=T0 - 5_000, left_ms=T0 + 100_000),
        seen("PA_between", joined_ms=T0 + 1_000, left_ms=T0 + 100_000),
        seen("PA_late", joined_ms=T0 + 50_001, left_ms=T0 + 100_000),
        seen("PA_agent", "AGENT", left_ms=T0 + 10_000),
        # The SFU saw the second agent a moment before its own clock says it joined.
        seen("PA_agent2", "AGENT", joined_ms=T0 + 49_990, left_ms=T0 + 100_000),
    ]
    second = agent(50_000, joined_ms=T0 + 50_000, sid="PA_agent2")
    ours = derive(KEY, [agent(), *facts], [Claim(SID, other, "PA_agent2", T0 + 50_000)])
    theirs = derive(other, [second, *facts], [Claim(SID, KEY, "PA_agent", T0)])
    assert _connections(ours.lines) == {"PA_early", "PA_between", "PA_agent"}
    assert _connections(theirs.lines) == {"PA_late", "PA_agent2"}


def _connections(of: tuple[Line, ...]) -> set[str]:
    return {line.subject for line in of if line.meter == "webrtc_participant_minutes"}


def test_the_digest_tells_ledgers_apart_but_not_whether_they_still_run() -> None:
    running = derive(KEY, [agent(30_000)])
    ended = derive(KEY, [agent(30_000), over(T0 + 31_000)])
    longer = derive(KEY, [agent(30_001)])
    assert running.digest == ended.digest != longer.digest
    assert (running.open, ended.open) == (True, False)


def test_a_meeting_that_was_never_held_has_an_empty_ledger() -> None:
    ledger = derive(KEY, [])
    assert ledger.lines == ()
    assert set(totals(ledger.lines).values()) == {"0"}


def test_a_reconnected_agent_has_a_session_for_each_connection() -> None:
    found = lines(agent(30_000), agent(10_000, joined_ms=T0 + 40_000, sid="PA_again"))
    first, second = found["agent:job_1:PA_agent"], found["agent:job_1:PA_again"]
    assert (first.quantity, first.open, second.quantity, second.open) == (30_000, False, 10_000, True)
    assert totals(found.values())["agent_session_minutes"] == "2"


def test_who_aborted_is_free_though_a_poll_saw_them_coming() -> None:
    aborted = seen("PA_anna", left_ms=T0 + 20_000, aborted=True)
    assert "webrtc:PA_anna" not in lines(polled(T0 + 10_000, "PA_anna"), aborted)
    assert "webrtc:PA_anna" in lines(seen("PA_anna", seen_ms=T0), polled(T0 + 10_000, "PA_anna"), aborted)
