"""Attribution's rules, without a bus."""

import pytest
from roomscribe_attribution import domain
from roomscribe_common.contracts.base import Participant
from roomscribe_common.errors import Permanent

from .conftest import final, gap, interim


def test_a_final_belongs_to_the_owner_of_the_track() -> None:
    made = domain.to_final(final("utt_1"), sequence=7)
    assert made.id == "final:utt_1:1"
    assert made.subject == "transcript.v1.final.acme.mtg_1"
    assert made.tenant == "acme"
    assert made.data.segment_id == "utt_1"
    assert (made.data.sequence, made.data.revision) == (7, 1)
    assert made.data.participant == Participant(identity="ada", name="Ada Lindqvist")
    speaker = made.data.speaker
    assert (speaker.id, speaker.label, speaker.basis, speaker.confidence) == ("ada", "Ada Lindqvist", "track", 1.0)
    assert (made.data.start_ms, made.data.end_ms) == (1000, 2500)
    assert made.data.text == "ship it"


def test_a_segment_never_ends_before_it_starts() -> None:
    event = final("utt_1")
    early = event.model_copy(update={"data": event.data.model_copy(update={"end_ms": 10})})
    assert domain.to_final(early, 1).data.end_ms == 1000


def test_versions_of_a_later_attempt_are_higher_than_all_of_an_earlier_one() -> None:
    versions = [
        domain.to_interim(interim("utt_1", version=1)).data.version,
        domain.to_interim(interim("utt_1", version=400)).data.version,
        domain.to_interim(interim("utt_1", version=1, attempt=2)).data.version,
        domain.withdrawal_of_silence(final("utt_1", text="", attempt=2)).data.version,
    ]
    assert versions == sorted(set(versions))


def test_a_withdrawal_is_an_interim_without_text() -> None:
    silence = domain.withdrawal_of_silence(final("utt_1", text=""))
    lost = domain.withdrawal_of_lost(gap("gap_1", "utt_1", whole=True))
    assert [(made.data.segment_id, made.data.text) for made in (silence, lost)] == [("utt_1", ""), ("utt_1", "")]


def test_an_older_interim_is_not_shown() -> None:
    shown = domain.ShownInterims()
    assert shown.advance("utt_1", 1, 3)
    assert not shown.advance("utt_1", 1, 2)
    assert not shown.advance("utt_1", 1, 3)
    assert shown.advance("utt_1", 2, 1)
    assert not shown.advance("utt_1", 1, 9)
    assert shown.advance("utt_2", 1, 1)


def test_no_interim_is_shown_after_the_final() -> None:
    shown = domain.ShownInterims()
    shown.close("utt_1")
    assert not shown.advance("utt_1", 99, 99)


def test_only_the_newest_utterances_are_remembered() -> None:
    shown = domain.ShownInterims(limit=2)
    for utterance in ("utt_1", "utt_2", "utt_3"):
        shown.advance(utterance, 1, 5)
    assert shown.advance("utt_1", 1, 1)
    assert not shown.advance("utt_3", 1, 1)


def test_the_wait_is_quick_at_first_and_ends() -> None:
    waiting = domain.Waiting(limit_s=10)
    pauses = [waiting.again_after_s(deliveries) for deliveries in range(1, 40)]
    first_end = pauses.index(None)
    assert pauses[:20] == [0.25] * 20
    assert pauses[20:first_end] == [1.0] * 5
    assert pauses[first_end:] == [None] * (len(pauses) - first_end)


def test_data_of_another_utterance_than_the_subject_is_refused() -> None:
    domain.check_place("stt.v1.final.acme.mtg_1.TR_1.utt_1", "mtg_1", "utt_1")
    with pytest.raises(Permanent, match="mtg_2"):
        domain.check_place("stt.v1.final.acme.mtg_1.TR_1.utt_1", "mtg_2", "utt_1")
    with pytest.raises(Permanent, match="utt_9"):
        domain.check_place("stt.v1.final.acme.mtg_1.TR_1.utt_1", "mtg_1", "utt_9")
