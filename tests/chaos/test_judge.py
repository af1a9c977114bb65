"""The judge itself: each invariant is seen broken once."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from roomscribe_cli.client import ServerSentEvent
from roomscribe_cli.demo.people import Happened
from roomscribe_common.contracts.base import Participant, SttModel, Track
from roomscribe_common.contracts.meeting import MeetingEnded, MeetingEndedData
from roomscribe_common.contracts.transcript import (
    Speaker,
    TranscriptCompleted,
    TranscriptCompletedData,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptGapData,
)
from roomscribe_common.contracts.usage import MeetingUsageData, UsageLine

from tests.chaos.evidence import Connection, Evidence, Live, Look, Member, Stored
from tests.chaos.judge import judge
from tests.chaos.speech import in_turn, name_of

MEETING = "mtg_judged"
ZERO = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
BEGAN = ZERO.timestamp() + 5
SCRIPT = in_turn("judged", [("ada", 5), ("ben", 9), ("ada", 10)])


def final(number: int, text: str | None = None) -> TranscriptFinal:
    """The final of one line."""
    line, said = SCRIPT.lines[number - 1], whole_script_times(number)
    name = name_of(line.speaker)
    data = TranscriptFinalData(
        segment_id=f"utt_{number}",
        revision=1,
        meeting_id=MEETING,
        room="judged",
        participant=Participant(identity=line.speaker, name=name),
        speaker=Speaker(id=line.speaker, label=name, basis="track", confidence=1),
        track=Track(id="TR_1", source="microphone"),
        start_ms=round((said[0] - ZERO.timestamp()) * 1000),
        end_ms=round((said[1] - ZERO.timestamp()) * 1000),
        started_at=datetime.fromtimestamp(said[0], UTC),
        text=line.text if text is None else text,
        language="en",
        confidence=1,
        stt=SttModel(provider="test", model="test"),
        sequence=number,
    )
    subject = f"transcript.v1.final.local.{MEETING}"
    return TranscriptFinal.new(id=f"f{number}", source="test", subject=subject, tenant="local", data=data)


def whole_script_times(number: int) -> tuple[float, float]:
    sentence = bare().sentence(number)
    return sentence.begin, sentence.end


def bare() -> Evidence:
    """A meeting of which nothing was seen yet but who spoke when."""
    stored, live = Stored(started_at=ZERO), Live()
    return Evidence(MEETING, SCRIPT, BEGAN, stored, live, [], [], [], [], None, [], [])


def usage_line(sid: str, billed: str) -> UsageLine:
    return UsageLine(
        line_id=f"webrtc:{sid}",
        meter="webrtc_participant_minutes",
        subject=sid,
        basis="left",
        quantity=10_000,
        unit="ms",
        billed=billed,
        billed_unit="minutes",
    )


def sound() -> Evidence:
    """A meeting in which everything held."""
    evidence = bare()
    finals = [final(number) for number in (1, 2, 3)]
    completed = TranscriptCompletedData(
        meeting_id=MEETING, room="judged", completed_at=ZERO, segments=3, last_sequence=3, complete=True
    )
    ended = MeetingEndedData(meeting_id=MEETING, room="judged", started_at=ZERO, ended_at=ZERO, reason="requested")
    evidence.stored = Stored(
        finals=finals,
        completed=[
            TranscriptCompleted.new(
                id="c",
                source="test",
                subject=f"transcript.v1.completed.local.{MEETING}",
                tenant="local",
                data=completed,
            )
        ],
        ended=[
            MeetingEnded.new(
                id="e", source="test", subject=f"meeting.v1.ended.local.{MEETING}", tenant="local", data=ended
            )
        ],
        minutes=1,
        started_at=ZERO,
    )
    evidence.live = Live(finals=[(BEGAN, each.data) for each in finals])
    told = [ServerSentEvent(each.id, "transcript.final", {"segment_id": each.data.segment_id}) for each in finals]
    evidence.told = [*told, ServerSentEvent(None, "end", {})]
    evidence.looks = [Look(BEGAN, [Member("PA_agent", "roomscribe-x", True, BEGAN)])]
    evidence.connections = [Connection("PA_1", "ada", BEGAN, BEGAN + 10)]
    evidence.usage = MeetingUsageData(
        meeting_id=MEETING,
        room="judged",
        policy="livekit",
        closed=True,
        digest="d",
        lines=[usage_line("PA_1", "1")],
        totals={},
    )
    evidence.archived = [each.data.segment_id for each in finals]
    return evidence


def test_a_sound_meeting_is_found_sound() -> None:
    assert judge(sound()).violations == []


def without_second_final(evidence: Evidence) -> None:
    evidence.stored.finals[1] = final(2, "nothing of the kind")


def cut_short(evidence: Evidence) -> None:
    evidence.stored.finals[1] = final(2, "I will write the release")


def said_twice(evidence: Evidence) -> None:
    evidence.stored.finals[0] = final(1, f"{SCRIPT.lines[0].text} {SCRIPT.lines[0].text}")


def heard_twice(evidence: Evidence) -> None:
    evidence.live.finals.append(evidence.live.finals[0])


def stored_twice(evidence: Evidence) -> None:
    evidence.stored.finals.append(evidence.stored.finals[0])


def two_agents(evidence: Evidence) -> None:
    evidence.looks.append(Look(BEGAN, [Member(sid, sid, True, BEGAN) for sid in ("PA_agent", "PA_twin")]))


def billed_too_much(evidence: Evidence) -> None:
    assert evidence.usage is not None
    evidence.usage = evidence.usage.model_copy(update={"lines": [usage_line("PA_1", "2")]})


def billed_twice(evidence: Evidence) -> None:
    assert evidence.usage is not None
    evidence.usage = evidence.usage.model_copy(update={"lines": [usage_line("PA_1", "1")] * 2})


def not_billed(evidence: Evidence) -> None:
    evidence.connections.append(Connection("PA_2", "ben", BEGAN, BEGAN + 10))


def a_hole(evidence: Evidence) -> None:
    last = evidence.stored.finals[2]
    evidence.stored.finals[2] = last.model_copy(update={"data": last.data.model_copy(update={"sequence": 4})})


def a_wrong_name(evidence: Evidence) -> None:
    last = evidence.stored.finals[2]
    nobody = Participant(identity="ada", name="Somebody")
    evidence.stored.finals[2] = last.model_copy(update={"data": last.data.model_copy(update={"participant": nobody})})


def never_ended(evidence: Evidence) -> None:
    evidence.live.opened["utt_lost"] = BEGAN


def told_twice(evidence: Evidence) -> None:
    evidence.told.insert(0, evidence.told[0])


def not_archived(evidence: Evidence) -> None:
    evidence.archived.pop()


def left(evidence: Evidence) -> None:
    evidence.left_behind.append("the lease")


@pytest.mark.parametrize(
    ("harm", "kind", "said"),
    [
        (without_second_final, "lost_words", "line 2 of ben lacks"),
        (cut_short, "lost_words", "lacks 'notes by wednesday'"),
        (said_twice, "duplicate_finals", "did not say"),
        (heard_twice, "duplicate_finals", "a subscriber has 2 finals utt_1"),
        (stored_twice, "duplicate_finals", "the stream has 2 finals utt_1"),
        (two_agents, "double_agents", "2 agents in the room"),
        (billed_too_much, "wrong_minutes", "[1] minutes, billed [2]"),
        (billed_twice, "wrong_minutes", "billed [1, 1]"),
        (not_billed, "wrong_minutes", "PA_2"),
        (a_hole, "other", "the sequence is [1, 2, 4]"),
        (a_wrong_name, "other", "goes by 'Somebody'"),
        (never_ended, "other", "utt_lost was opened and never ended"),
        (told_twice, "other", "the event stream told"),
        (not_archived, "other", "the archive has 2 segments of 3"),
        (left, "other", "left behind: the lease"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_broken_is_found(harm: Callable[[Evidence], None], kind: str, said: str) -> None:
    evidence = sound()
    harm(evidence)
    assert any(said in text for text in getattr(judge(evidence), kind)), judge(evidence)


def gap_over(evidence: Evidence, number: int, identity: str) -> TranscriptGapData:
    said = evidence.sentence(number)
    return TranscriptGapData(
        gap_id="gap_1",
        meeting_id=MEETING,
        room="judged",
        participant=Participant(identity=identity, name=""),
        track=Track(id="TR_1", source="microphone"),
        segment_id="utt_9",
        start_ms=round((said.begin - ZERO.timestamp()) * 1000),
        end_ms=round((said.end - ZERO.timestamp()) * 1000),
        reason="agent_lost",
    )


@pytest.mark.parametrize(("identity", "lost"), [("ben", 0), ("ada", 1)])
def test_a_gap_excuses_the_words_of_its_own_speaker_and_no_other(identity: str, lost: int) -> None:
    evidence = sound()
    without_second_final(evidence)
    evidence.stored.gaps.append(gap_over(evidence, 2, identity))
    assert len(judge(evidence).lost_words) == lost


def test_a_gap_over_what_was_heard_is_found_false() -> None:
    evidence = sound()
    evidence.stored.gaps.append(gap_over(evidence, 1, "ada"))
    assert judge(evidence).other == ["a gap declares 2.2 s missing of ada that were heard"]


def test_where_the_machine_starved_the_speakers_only_missing_stretches_count() -> None:
    evidence = sound()
    late = [Happened(what="spoke", at=whole_script_times(3)[1] + 0.5, identity="ada", line=3)]
    garbled = replace(evidence, happened=late)
    cut_short(garbled)
    assert judge(garbled).lost_words == []
    del garbled.stored.finals[1]
    assert len(judge(garbled).lost_words) == 1
