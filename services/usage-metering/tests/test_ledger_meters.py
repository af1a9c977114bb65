"""Meters besides connections and sessions: gigabytes, models, recordings; each with its quality and its basis."""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.agent import ModelCounters
from roomscribe_usage_metering.domain.downstream import Bitrates
from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    ConnectionSeen,
    EgressSeen,
    Evidence,
    MeetingKey,
    RoomFinished,
    TokensUsed,
)
from roomscribe_usage_metering.domain.ledger import Terms, derive, totals
from roomscribe_usage_metering.domain.lines import Line, to_usage_line
from roomscribe_usage_metering.domain.ticks import steps_between

from .scenarios import scenarios

KEY = MeetingKey("acme", "mtg_1")
T0 = 1_795_000_000_000


def agent(uptime_ms: int = 0, epoch: int = 1, **more: Any) -> AgentSeen:
    return AgentSeen(
        room="planning",
        room_sid="RM_1",
        participant_sid=f"PA_agent{epoch}",
        identity="roomscribe",
        job_id="job_1",
        epoch=epoch,
        joined_ms=T0 + (epoch - 1) * 10**6,
        uptime_ms=uptime_ms,
        **more,
    )


def person(lasted_ms: int, kind: str = "STANDARD", sid: str = "PA_1") -> ConnectionSeen:
    return ConnectionSeen(
        room_sid="RM_1",
        participant_sid=sid,
        identity="anna",
        participant_kind=kind,
        joined_ms=T0,
        left_ms=T0 + lasted_ms,
    )


def egress(egress_id: str = "EG_1", direct: bool = False, **times: int | bool) -> EgressSeen:
    return EgressSeen(room_sid="RM_1", egress_id=egress_id, direct=direct, **{"seen_ms": T0, **times})  # pyright: ignore[reportArgumentType] — the keywords are those of the model


def lines(*facts: Evidence, terms: Terms | None = None) -> dict[str, Line]:
    return {line.line_id: line for line in derive(KEY, [agent(), *facts], terms=terms).lines}


def test_gigabytes_of_a_person_are_estimated_at_the_bitrate_estimates_assume() -> None:
    # 1.2 Mbit/s for 45 minutes: 0.405 GB, and LiveKit counts hundredths.
    line = lines(person(2_700_000))["downstream:PA_1"]
    assert (line.quantity, line.quality, line.basis) == (405_000_000, "estimated", "bitrate")
    told = to_usage_line(line)
    assert (told.billed, told.billed_unit, told.unit, told.quality) == ("0.41", "gb", "bytes", "estimated")


def test_gigabytes_of_an_agent_are_less_and_bitrates_can_be_set() -> None:
    seen = person(2_700_000, "AGENT", "PA_agent1")
    assert lines(seen)["downstream:PA_agent1"].quantity == 67_500_000
    told = lines(seen, terms=Terms(bitrates=Bitrates(agent_bytes_per_ms=1)))
    assert told["downstream:PA_agent1"].quantity == 2_700_000


def test_gigabytes_that_were_counted_are_not_estimated() -> None:
    facts = agent(15_000, received_bytes=10), agent(30_000, received_bytes=25_000_000)
    line = lines(person(40_000, "AGENT", "PA_agent1"), *facts)["downstream:PA_agent1"]
    assert (line.quantity, line.quality, line.basis, line.steps) == (25_000_000, "measured", "counters", 3)
    assert "downstream:PA_agent1" not in lines(person(40_000, "AGENT", "PA_agent1"), agent(received_bytes=0))


def test_kinds_that_are_not_billed_have_no_gigabytes_unless_they_are_asked_for() -> None:
    bridge = person(60_000, "BRIDGE")
    assert not {"webrtc:PA_1", "downstream:PA_1"} & lines(bridge).keys()
    billed = lines(bridge, terms=Terms(kinds=frozenset({"BRIDGE"})))
    assert {"webrtc:PA_1", "downstream:PA_1"} <= billed.keys()


def test_cached_tokens_are_metered_once_and_apart() -> None:
    request = TokensUsed(
        request_id="llm_1", provider="openai", model="m", input_tokens=100, cached_tokens=30, output_tokens=5, at_ms=T0
    )
    found = lines(request, request)
    assert {name: line.quantity for name, line in found.items() if line.basis == "requests"} == {
        "llm_in:openai/m": 70,
        "llm_cached:openai/m": 30,
        "llm_out:openai/m": 5,
    }


def models(**counts: Any) -> list[ModelCounters]:
    return [ModelCounters(provider="openai", model="m", **counts)]


def test_what_an_agent_counts_of_its_models_is_metered_by_epoch() -> None:
    first = agent(60_000, models=models(input_tokens=100, cached_input_tokens=40, output_tokens=9, tts_characters=50))
    second = agent(10_000, epoch=2, models=models(input_tokens=10, tts_characters=7))
    found = lines(first, second)
    sums = totals(found.values())
    assert (sums["llm_input_tokens"], sums["llm_cached_input_tokens"], sums["llm_output_tokens"]) == ("70", "40", "9")
    assert sums["tts_characters"] == "57"
    assert {found["tts:job_1:1:openai/m"].quantity, found["tts:job_1:2:openai/m"].quantity} == {50, 7}


@pytest.mark.parametrize(("basis", "billed"), [("connection", "0.033333333333"), ("pushed", "0.033333333333")])
def test_speech_to_text_says_whether_time_open_or_audio_sent_was_measured(basis: str, billed: str) -> None:
    found = lines(agent(5_000, models=models(track_id="TR_1", stt_ms=1_001, stt_basis=basis)))
    line = found[f"stt:job_1:1:TR_1:{basis}:openai/m"]
    assert (line.basis, to_usage_line(line).billed, line.subject) == (basis, billed, "TR_1 openai/m")


def test_a_counter_belongs_to_the_periods_in_which_it_grew() -> None:
    told = [agent(at, models=models(tts_characters=count)) for at, count in ((0, 5), (60_000, 30), (30_000, 20))]
    line = lines(*told)["tts:job_1:1:openai/m"]
    assert line.parts == ((T0, 5), (T0 + 30_000, 15), (T0 + 60_000, 10))
    assert steps_between(line, T0 + 1, T0 + 60_000) == 15


COUNTS = st.lists(st.tuples(st.integers(1, 3), st.integers(0, 40), st.integers(0, 1_000)), max_size=12)


@scenarios
@given(COUNTS, st.data())
def test_counters_come_to_the_sum_over_epochs_of_the_largest_in_any_order(
    told: list[tuple[int, int, int]], data: st.DataObject
) -> None:
    beats = [agent(seq * 15_000, epoch, models=models(tts_characters=count)) for epoch, seq, count in told]
    again = data.draw(st.permutations([*beats, *beats[: len(beats) // 2]]))
    largest = {epoch: max(count for other, _, count in told if other == epoch) for epoch, _, _ in told}
    ledger = derive(KEY, [agent(), *again])
    assert totals(ledger.lines)["tts_characters"] == str(sum(largest.values()))
    assert ledger.digest == derive(KEY, [agent(), *beats]).digest


@scenarios
@given(COUNTS)
def test_a_restarted_process_adds_an_epoch_and_never_lowers_the_total(told: list[tuple[int, int, int]]) -> None:
    beats = [agent(seq * 15_000, epoch, models=models(tts_characters=count)) for epoch, seq, count in told]
    sums = [int(totals(derive(KEY, [agent(), *beats[:n]]).lines)["tts_characters"]) for n in range(len(beats) + 1)]
    assert all(before <= after for before, after in pairwise(sums))


def test_recordings_are_billed_by_the_started_minute_and_by_whether_they_are_transcoded() -> None:
    composite = [egress(started_ms=T0), egress(started_ms=T0, ended_ms=T0 + 60_001)]
    track = egress("EG_2", direct=True, started_ms=T0, ended_ms=T0 + 10_000)
    found = lines(*composite, track)
    assert (found["egress:EG_1"].meter, found["egress:EG_1"].steps) == ("transcode_minutes", 2)
    assert (found["egress:EG_2"].meter, found["egress:EG_2"].steps) == ("track_egress_minutes", 1)
    assert found["egress:EG_1"].basis == "egress_ended"


@pytest.mark.parametrize(
    "never",
    [
        {"ended_ms": T0 + 5_000},
        {"started_ms": T0, "ended_ms": T0},
        {"started_ms": T0, "ended_ms": T0 + 5_000, "aborted": True},
    ],
    ids=["never started", "no time at all", "aborted"],
)
def test_a_recording_that_was_never_active_is_free(never: dict[str, Any]) -> None:
    assert "egress:EG_1" not in lines(egress(**never))


def test_a_recording_whose_end_was_lost_ends_with_its_room_or_its_last_sighting() -> None:
    seen = egress(started_ms=T0, seen_ms=T0 + 30_000)
    running = lines(seen)["egress:EG_1"]
    assert (running.quantity, running.basis, running.open) == (30_000, "last_seen", True)
    ended = lines(seen, RoomFinished(room_sid="RM_1", at_ms=T0 + 90_000))["egress:EG_1"]
    assert (ended.quantity, ended.basis, ended.open) == (90_000, "room_finished", False)


def test_a_recording_in_a_room_of_another_meeting_is_not_this_ones() -> None:
    elsewhere = egress(started_ms=T0, ended_ms=T0 + 5_000).model_copy(update={"room_sid": "RM_other"})
    assert "egress:EG_1" not in lines(elsewhere)
