"""What the worker decides, without a wire: chunks in place, when to show interims, what was said, which events."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from roomscribe_common.contracts.audio import ChunkHeaders
from roomscribe_common.contracts.base import SttModel
from roomscribe_stt_worker.domain.assembly import MAX_SAMPLES, Assembly, BadChunk, Hole
from roomscribe_stt_worker.domain.events import Hearing, Said, final, hole, lost_utterance, spread
from roomscribe_stt_worker.domain.interims import InterimPolicy, Load
from roomscribe_stt_worker.domain.nonspeech import Heard, believe
from roomscribe_stt_worker.domain.sentences import over_after_s
from roomscribe_stt_worker.domain.voicing import has_voice
from roomscribe_stt_worker.engines.protocol import Hypothesis

from .conftest import utterance

FOUR = [
    ChunkHeaders("utt_1", seq, seq * 100, last=seq == 3, speech_end_sample=350 if seq == 3 else None)
    for seq in range(4)
]


def pcm(value: int, samples: int = 100) -> bytes:
    return np.full(samples, value, "<i2").tobytes()


def assembled(*order: int) -> Assembly:
    audio = Assembly("utt_1")
    for seq in order:
        audio.add(FOUR[seq], pcm(1000 * (seq + 1)))
    return audio


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=4))
@settings(deadline=None)
def test_any_order_and_any_repetition_of_chunks_gives_the_same_audio(order: list[int], again: list[int]) -> None:
    audio = assembled(*order, *again)
    assert audio.complete
    assert audio.holes() == []
    assert audio.speech_end == 350
    assert np.array_equal(audio.samples(), assembled(0, 1, 2, 3).samples())


def test_a_chunk_that_was_here_before_is_told() -> None:
    audio = assembled(0)
    assert not audio.add(FOUR[0], pcm(7))
    assert audio.add(FOUR[1], pcm(7))


def test_missing_chunks_are_silence_and_holes() -> None:
    audio = assembled(1, 3)
    assert not audio.complete
    assert audio.holes() == [Hole(0, 100), Hole(200, 300)]
    assert audio.samples()[50] == 0.0
    assert audio.samples()[150] == pytest.approx(2000 / 32768)
    assert audio.received == 200


def test_without_a_last_chunk_speech_ends_where_the_audio_does() -> None:
    audio = assembled(0, 1)
    assert audio.last is None
    assert audio.speech_end == 200


def test_an_utterance_longer_than_the_first_buffer_is_kept_whole() -> None:
    audio = Assembly("utt_1")
    for seq in range(100):
        audio.add(ChunkHeaders("utt_1", seq, seq * 1600), pcm(seq, 1600))
    assert audio.length == 160_000
    assert audio.samples()[159_999] == pytest.approx(99 / 32768)


@pytest.mark.parametrize(
    ("chunk", "body", "reason"),
    [
        (replace(FOUR[0], utterance_id="utt_2"), pcm(1), "another utterance"),
        (FOUR[0], b"\0\0\0", "16-bit"),
        (replace(FOUR[0], first_sample=MAX_SAMPLES), pcm(1), "beyond the limit"),
    ],
)
def test_a_chunk_that_cannot_belong_is_refused_with_the_reason(chunk: ChunkHeaders, body: bytes, reason: str) -> None:
    with pytest.raises(BadChunk, match=reason):
        Assembly("utt_1").add(chunk, body)


CHUNK_S = 0.192


def moments(load: Load = Load.FREE, length_s: float = 12.0) -> list[float]:
    """When interims are made of an utterance that comes in chunks, from the first: pre-roll and what was confirmed."""
    policy, made = InterimPolicy(), list[float]()
    for number in range(int(length_s / CHUNK_S)):
        audio_s = 0.416 + number * CHUNK_S
        if policy.due(audio_s, load):
            made.append(audio_s)
            policy.decoded(audio_s)
    return made


def test_the_first_interim_is_made_of_a_third_of_a_second_of_speech() -> None:
    assert moments()[0] - 0.352 <= 0.3


def test_interims_come_every_third_to_half_of_a_second_and_every_half_once_long() -> None:
    steps = [b - a for a, b in pairwise(moments())]
    assert 0.3 <= steps[0] <= 0.4
    assert all(0.3 <= step <= 0.6 for step in steps)
    assert steps[-1] > steps[0]


def test_while_the_threads_are_busy_there_are_at_most_half_as_many() -> None:
    assert 0 < len(moments(Load.BUSY)) <= len(moments()) / 2


def test_while_words_that_stay_are_waiting_there_are_none() -> None:
    assert moments(Load.LATE) == []


def sure(text: str, probability: float = 0.9) -> Hypothesis:
    return Hypothesis(text, "en", (probability,) * (len(text.split()) + 1))


@pytest.mark.parametrize(
    "text",
    ["We ship on Thursday.", "Yes.", "No, no, no, no, that is not it.", "Thank you.", "You should.", "Ölçü doğru."],
)
def test_what_was_said_is_believed(text: str) -> None:
    heard = believe(sure(text), 2.0)
    assert heard.text == text
    assert heard.confidence == pytest.approx(0.9)


@pytest.mark.parametrize("text", ["", "You", "you.", "♪ ♪ ♪", "...", "Thank you for watching!", "2020-2020 " * 9])
def test_what_nobody_says_is_not_believed_however_sure_the_engine_is(text: str) -> None:
    assert believe(sure(text, 0.99), 2.0).text == ""


def test_a_lone_you_is_believed_if_there_is_a_voice_and_the_engine_is_sure() -> None:
    assert believe(sure("You."), 1.0, lambda: True).text == "You."
    assert believe(sure("You.", 0.3), 1.0, lambda: True).text == ""
    assert believe(sure("Thank you for watching!"), 2.0, lambda: True).text == ""


def sung(pitch_hz: float, voiced_s: float, length_s: float) -> NDArray[np.float32]:
    """A voice's harmonics for a while, in a quiet room."""
    at = np.arange(int(length_s * 16_000)) / 16_000
    voice = sum(np.sin(2 * np.pi * pitch_hz * k * at) / k for k in range(1, 12))
    quiet = np.random.default_rng(3).normal(size=len(at)) * 0.001
    return (0.1 * voice * ((at > 0.3) & (at < 0.3 + voiced_s)) + quiet).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [90, 130, 220, 330])
def test_a_pitch_for_a_quarter_of_a_second_is_a_voice_and_a_tone_from_end_to_end_is_not(pitch_hz: float) -> None:
    assert has_voice(sung(pitch_hz, 0.25, 0.9))
    assert not has_voice(sung(pitch_hz, 0.05, 0.9))
    assert not has_voice(sung(pitch_hz, 0.9, 0.9)[4_800:])


def test_hiss_clicks_and_silence_have_no_voice() -> None:
    hiss = np.random.default_rng(4).normal(size=16_000).astype(np.float32) * 0.1
    clicks = np.zeros(16_000, np.float32)
    clicks[::4_000] = 0.8
    for noise in (hiss, clicks, np.zeros(16_000, np.float32), np.zeros(10, np.float32)):
        assert not has_voice(noise)


def test_words_the_engine_doubts_are_not_believed() -> None:
    assert believe(sure("And I am going to make it.", 0.3), 3.0).text == ""


def test_a_stock_phrase_has_to_be_surer_than_others() -> None:
    assert believe(sure("Thank you.", 0.5), 1.0).text == ""
    assert believe(sure("Thank them.", 0.5), 1.0).text != ""


def test_three_words_in_ten_seconds_are_not_speech() -> None:
    assert believe(sure("transcript Emily Beynon"), 10.0).text == ""
    assert believe(sure("transcript Emily Beynon"), 3.0).text != ""


def test_a_loop_behind_real_words_is_cut_to_its_first_round() -> None:
    heard = believe(sure("Then you open" + " the folder again in" * 6), 8.0)
    assert heard.text == "Then you open the folder again in"


def test_a_text_that_is_nothing_but_a_loop_is_not_believed() -> None:
    assert believe(sure("The first is" + " the first is" * 9), 8.0).text == ""


def test_an_engine_without_probabilities_is_believed_at_unknown_confidence() -> None:
    assert believe(Hypothesis("We ship on Thursday.", "en"), 2.0).confidence == 0.5


def test_word_times_fill_the_segment_and_follow_the_lengths_of_the_words() -> None:
    found = spread("a considerable word", 1000, 3000)
    assert (found[0].start_ms, found[-1].end_ms) == (1000, 3000)
    assert found[1].end_ms - found[1].start_ms > 3 * (found[0].end_ms - found[0].start_ms)
    assert all(a.end_ms == b.start_ms for a, b in pairwise(found))


def hearing(attempt: int = 1) -> Hearing:
    said = utterance().model_copy(update={"utterance_id": "utt_1"})
    return Hearing(said, "acme", attempt, "roomscribe/stt-worker", SttModel(provider="test", model="test"))


def test_two_attempts_make_finals_and_gaps_of_the_same_id() -> None:
    said = Said(Heard("Yes.", 0.9), "en", 16_000, 20_000, truncated=False)
    assert final(hearing(1), said).id == final(hearing(2), said).id == "final:utt_1"
    assert lost_utterance(hearing(1), 5, "audio_lost").id == lost_utterance(hearing(2), 9, "stt_failed").id
    assert hole(hearing(1), Hole(5, 9)).data.gap_id == hole(hearing(2), Hole(5, 9)).data.gap_id


def test_gaps_of_one_utterance_have_different_ids() -> None:
    made = [hole(hearing(), Hole(0, 9)), hole(hearing(), Hole(20, 29)), lost_utterance(hearing(), 30, "audio_lost")]
    assert len({gap.id for gap in made}) == len({gap.data.gap_id for gap in made}) == 3


def test_words_begin_where_somebody_began_to_speak_not_with_the_pre_roll() -> None:
    said = hearing().utterance.model_copy(update={"pre_roll_ms": 350})
    event = final(replace(hearing(), utterance=said), Said(Heard("Yes.", 0.9), "en", 16_000, 20_000, truncated=False))
    assert (event.data.words[0].start_ms, event.data.words[0].end_ms) == (60_350, 61_000)


def test_a_sentence_that_is_surely_over_ends_at_once_and_a_doubtful_one_later() -> None:
    assert over_after_s(sure("We ship on Thursday.")) == 0
    doubtful = over_after_s(sure("We ship on Thursday.", 0.6))
    assert doubtful is not None
    assert 0 < doubtful < 0.2
    short = over_after_s(sure("No matter.", 0.6))
    assert short is not None
    assert short > doubtful


@pytest.mark.parametrize(
    "unfinished",
    [
        sure("We ship on Thursday"),
        sure("The doctor said,"),
        sure("We ship on Thursday.", 0.2),
        sure(""),
        Hypothesis("We ship on Thursday.", "en"),
    ],
)
def test_an_unfinished_sentence_is_left_to_silence(unfinished: Hypothesis) -> None:
    assert over_after_s(unfinished) is None


def test_a_final_without_words_says_nobody_spoke() -> None:
    event = final(hearing(), Said(Heard("", 0.0), "en", 16_000, 20_000, truncated=False))
    assert (event.data.text, event.data.words, event.data.audio_ms) == ("", [], 1250)
