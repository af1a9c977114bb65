"""The scorecard counts what went wrong, and a run without fault passes."""

from datetime import UTC, datetime, timedelta

import pytest
from roomscribe_cli.demo.scorecard import Connection, Evidence, HeardFinal, normal, score
from roomscribe_cli.demo.script import Script, spoken_s
from roomscribe_common.contracts.base import Participant, SttModel, Track
from roomscribe_common.contracts.insight import ActionItem, Cited, MinutesData
from roomscribe_common.contracts.transcript import Speaker, TranscriptFinalData
from roomscribe_common.contracts.usage import MeetingUsageData, UsageLine

STARTS_AT = 1_790_000_000.0
SCRIPT = Script.load()


def _final(number: int, **changes: object) -> HeardFinal:
    line = SCRIPT.lines[number - 1]
    began, ended = spoken_s(line)
    name = SCRIPT.name_of(line.speaker)
    fields: dict[str, object] = {
        "segment_id": f"utt_{number}",
        "revision": 1,
        "sequence": number,
        "meeting_id": "m",
        "room": "demo",
        "participant": Participant(identity=line.speaker, name=name),
        "speaker": Speaker(id=line.speaker, label=name, basis="track", confidence=1),
        "track": Track(id="TR_1", source="microphone"),
        "start_ms": round(began * 1000),
        "end_ms": round(ended * 1000),
        "started_at": datetime.fromtimestamp(STARTS_AT, UTC) + timedelta(seconds=began),
        "text": line.text,
        "language": "en",
        "confidence": 0.9,
        "stt": SttModel(provider="moonshine", model="tiny-en"),
    }
    data = TranscriptFinalData.model_validate({**fields, **changes})
    return HeardFinal(data, STARTS_AT + ended + 0.5)


def _usage(minutes: int) -> MeetingUsageData:
    line = UsageLine(
        line_id="l",
        meter="webrtc_participant_minutes",
        subject="PA_1",
        identity="maria",
        basis="left",
        quantity=1,
        unit="ms",
        billed=str(minutes),
        billed_unit="minutes",
    )
    return MeetingUsageData(
        meeting_id="m", room="demo", policy="livekit", closed=True, digest="d", lines=[line], totals={}
    )


MINUTES = MinutesData(
    meeting_id="m",
    room="demo",
    title="t",
    method="extractive",
    language="en",
    generated_at=datetime.fromtimestamp(STARTS_AT, UTC),
    last_sequence=1,
    summary=[],
    topics=[],
    decisions=[Cited(text="d", segment_ids=["utt_8"])],
    action_items=[
        ActionItem(text="a", segment_ids=["utt_9"], owner="Robert Hayes"),
        ActionItem(text="b", segment_ids=["utt_11", "utt_12"], owner="Kevin Marsh"),
    ],
    open_questions=[Cited(text="q", segment_ids=["utt_13"])],
)


def _evidence(
    finals: list[HeardFinal], *, gap_ms: int = 0, seconds: float = 70.0, billed: int = 2, minutes: MinutesData = MINUTES
) -> Evidence:
    return Evidence(SCRIPT, STARTS_AT, finals, gap_ms, [Connection("maria", seconds)], _usage(billed), minutes)


@pytest.fixture
def finals() -> list[HeardFinal]:
    return [_final(i) for i in range(1, len(SCRIPT.lines) + 1)]


def test_a_run_without_fault_passes(finals: list[HeardFinal]) -> None:
    card = score(_evidence(finals))
    assert card.failures == []
    assert card.word_error_rate == 0
    assert card.lines_under_right_name == card.lines == len(SCRIPT.lines)
    assert card.latency_p50_s == pytest.approx(0.5, abs=0.01)


def test_a_line_that_never_came_is_lost_and_costs_its_words(finals: list[HeardFinal]) -> None:
    card = score(_evidence(finals[1:]))
    assert card.lost == 1
    assert card.word_error_rate > 0.06
    assert card.lines_under_right_name == card.lines - 1


def test_words_under_anothers_name_are_not_right(finals: list[HeardFinal]) -> None:
    finals[8] = _final(9, participant=Participant(identity="robert", name="Maria Collins"))
    assert score(_evidence(finals)).lines_under_right_name == len(SCRIPT.lines) - 1


def test_a_segment_that_came_twice_is_a_duplicate(finals: list[HeardFinal]) -> None:
    card = score(_evidence([*finals, finals[3]]))
    assert card.duplicates == 1
    assert any("duplicate" in text for text in card.failures)


def test_a_missing_sequence_number_is_a_hole(finals: list[HeardFinal]) -> None:
    finals[-1] = _final(len(SCRIPT.lines), sequence=len(SCRIPT.lines) + 1)
    assert score(_evidence(finals)).sequence_holes == 1


def test_missing_speech_fails_the_run(finals: list[HeardFinal]) -> None:
    assert score(_evidence(finals, gap_ms=200)).failures == ["200 ms of speech missing"]


@pytest.mark.parametrize(("seconds", "billed"), [(60.0, 1), (60.1, 2), (119.9, 2)])
def test_a_started_minute_counts_whole(finals: list[HeardFinal], seconds: float, billed: int) -> None:
    assert score(_evidence(finals, seconds=seconds, billed=billed)).failures == []


def test_a_wrong_bill_fails_the_run(finals: list[HeardFinal]) -> None:
    assert "billed" in score(_evidence(finals, billed=3)).failures[0]


def test_an_action_item_with_another_owner_is_not_found(finals: list[HeardFinal]) -> None:
    wrong = MINUTES.action_items[0].model_copy(update={"owner": "Kevin Marsh"})
    minutes = MINUTES.model_copy(update={"action_items": [wrong, MINUTES.action_items[1]]})
    assert score(_evidence(finals, minutes=minutes)).failures == [
        "minutes hold 3 of 4 decisions, action items and open questions"
    ]


def test_case_and_punctuation_do_not_count() -> None:
    assert normal("Don’t STOP, Maria!") == "dont stop maria"
