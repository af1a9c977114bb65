"""Properties of the cuts: sample-exact, nothing twice, no speech skipped; and each rule on its own."""

from itertools import pairwise

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from roomscribe_media_ingest.domain.config import WINDOW, AudioConfig, windows
from roomscribe_media_ingest.domain.segmenter import Audio, Closed, Cut, Opened, Pcm, Segmenter

CONFIG = AudioConfig(max_ms=4_000, split_search_ms=1_000, buffer_bytes=1 << 20)
SPEECH, HUSH = 0.9, 0.05

runs = st.lists(st.tuples(st.sampled_from([0.0, HUSH, 0.4, 0.6, SPEECH]), st.integers(1, 40)), min_size=1, max_size=30)

hints = st.lists(st.integers(0, 30), max_size=8)


def track(probabilities: list[float]) -> Pcm:
    """A track in which each sample says where it stands."""
    return np.arange(len(probabilities) * WINDOW, dtype=np.uint32).astype(np.uint16).view(np.int16)


def cut(
    probabilities: list[float], config: AudioConfig = CONFIG, tail: int = 0, hints: list[int] | None = None
) -> list[Cut]:
    """`hints`: so many windows after each marked pause in turn somebody says that the sentence ended there."""
    segmenter, pcm, delays = Segmenter(config), track(probabilities), list(hints or [])
    cuts, coming = list[Cut](), dict[int, int]()
    for at, probability in enumerate(probabilities):
        level_db = -80.0 + 50 * probability
        found = segmenter.push(pcm[at * WINDOW : (at + 1) * WINDOW], probability, level_db)
        for each in found:
            if isinstance(each, Audio) and each.pause and delays:
                coming[at + delays.pop(0)] = each.first + len(each.pcm)
        cuts += found + (segmenter.finish(coming[at]) if at in coming else [])
    return cuts + segmenter.flush(np.ones(tail, np.int16))


def expand(found: list[tuple[float, int]]) -> list[float]:
    return [probability for probability, count in found for _ in range(count)]


def utterances(cuts: list[Cut]) -> list[tuple[Opened, list[Audio], Closed]]:
    """The cuts by utterance; fails unless each is opened, fed and closed in this order."""
    found: list[tuple[Opened, list[Audio], Closed]] = []
    opened: Opened | None = None
    audio: list[Audio] = []
    for each in cuts:
        if isinstance(each, Opened):
            assert opened is None
            opened, audio = each, []
        elif isinstance(each, Audio):
            assert opened is not None
            audio.append(each)
        else:
            assert opened is not None
            found.append((opened, audio, each))
            opened = None
    assert opened is None
    return found


@settings(max_examples=300, deadline=None)
@given(runs, hints)
def test_every_sample_is_handed_out_at_its_place_and_never_twice(found: list[tuple[float, int]], hints: list[int]):
    probabilities = expand(found)
    pcm, reached = track(probabilities), 0
    for opened, audio, closed in utterances(cut(probabilities, hints=hints)):
        assert opened.first >= reached
        reached = opened.first
        for each in audio:
            assert each.first == reached
            assert np.array_equal(each.pcm, pcm[reached : reached + len(each.pcm)])
            reached += len(each.pcm)
        assert closed.end == reached
        assert opened.first < closed.speech_end <= closed.end


@settings(max_examples=300, deadline=None)
@given(runs, hints)
def test_no_confirmed_speech_is_left_out(found: list[tuple[float, int]], hints: list[int]):
    probabilities = expand(found)
    covered = np.zeros(len(probabilities) * WINDOW, bool)
    for opened, _, closed in utterances(cut(probabilities, hints=hints)):
        covered[opened.first : closed.end] = True
    confirm = windows(CONFIG.confirm_ms)
    for at in range(len(probabilities) - confirm + 1):
        if min(probabilities[at : at + confirm]) >= CONFIG.open_probability:
            assert covered[at * WINDOW : (at + confirm) * WINDOW].all()


@settings(max_examples=200, deadline=None)
@given(runs)
def test_no_utterance_is_longer_than_the_limit(found: list[tuple[float, int]]):
    for opened, _, closed in utterances(cut(expand(found))):
        assert closed.end - opened.first <= windows(CONFIG.max_ms) * WINDOW


@settings(max_examples=200, deadline=None)
@given(runs)
def test_audio_after_a_marked_pause_means_that_speech_went_on(found: list[tuple[float, int]]):
    for _, audio, closed in utterances(cut(expand(found))):
        for before, after in pairwise(audio):
            if before.pause:
                assert closed.speech_end > after.first


def test_an_utterance_begins_with_its_pre_roll():
    (opened, _, closed), *rest = utterances(cut(expand([(HUSH, 40), (SPEECH, 20), (HUSH, 40)])))
    assert not rest
    assert opened.first == (40 - windows(CONFIG.pre_roll_ms)) * WINDOW
    assert closed.speech_end == 60 * WINDOW


def test_pre_roll_never_reaches_into_the_utterance_before():
    config = CONFIG.model_copy(update={"pre_roll_ms": 2_000})
    first, second = utterances(cut(expand([(SPEECH, 20), (HUSH, 30), (SPEECH, 20)]), config))
    assert second[0].first == first[2].end


def test_a_pause_is_marked_before_the_utterance_closes():
    (_, audio, closed), *_ = utterances(cut(expand([(SPEECH, 20), (HUSH, 40)])))
    assert [each.pause for each in audio].count(True) == 1
    assert audio[-1].pause
    assert closed.end == (20 + windows(CONFIG.pause_ms)) * WINDOW


def test_after_a_sentence_a_shorter_silence_closes_than_after_a_few_words():
    few, sentence = windows(CONFIG.short_ms) - 1, windows(CONFIG.short_ms)
    assert pieces(few, windows(CONFIG.close_short_ms) - 1) == 1
    assert pieces(few, windows(CONFIG.close_short_ms)) == 2
    assert pieces(sentence, windows(CONFIG.close_ms) - 1) == 1
    assert pieces(sentence, windows(CONFIG.close_ms)) == 2


def pieces(spoken: int, hush: int) -> int:
    config = AudioConfig()
    return len(utterances(cut(expand([(SPEECH, spoken), (HUSH, hush), (SPEECH, 20)]), config)))


def test_a_sentence_that_is_said_to_be_over_is_closed_at_once():
    marked = 20 + windows(CONFIG.pause_ms) - 1
    segmenter, pcm = Segmenter(CONFIG), np.ones(WINDOW, np.int16)
    for at in range(marked + 3):
        segmenter.push(pcm, SPEECH if at < 20 else HUSH, -20.0)
    assert segmenter.finish((marked + 1) * WINDOW) == [Closed((marked + 1) * WINDOW, 20 * WINDOW)]
    assert not segmenter.is_open
    assert segmenter.finish((marked + 1) * WINDOW) == []


def test_nobody_is_cut_off_who_has_spoken_on_since():
    probabilities = expand([(SPEECH, 20), (HUSH, 10), (SPEECH, 20), (HUSH, 40)])
    assert len(utterances(cut(probabilities, hints=[5]))) == 2
    assert len(utterances(cut(probabilities, hints=[10]))) == 1
    assert len(utterances(cut(probabilities, hints=[16]))) == 1


def test_a_click_opens_nothing():
    assert cut(expand([(HUSH, 20), (SPEECH, 1), (HUSH, 20), (SPEECH, 1), (HUSH, 20)])) == []


def test_a_short_yes_is_kept():
    assert len(utterances(cut(expand([(HUSH, 20), (SPEECH, 4), (HUSH, 40)])))) == 1


def test_a_long_utterance_is_split_where_it_is_quietest():
    (_, _, first), (second, *_), *_ = utterances(cut(expand([(SPEECH, 110), (0.4, 2), (SPEECH, 40), (HUSH, 30)])))
    assert first.end == second.first == 111 * WINDOW


def test_near_the_limit_a_marked_pause_is_enough_to_close():
    pause = windows(CONFIG.pause_ms)
    (_, _, first), (second, *_) = utterances(cut(expand([(SPEECH, 100), (HUSH, pause), (SPEECH, 30), (HUSH, 30)])))
    assert first.speech_end == 100 * WINDOW
    assert second.first == (100 + pause) * WINDOW


def test_a_flush_in_the_middle_of_a_word_keeps_its_last_samples():
    (_, audio, closed), *_ = utterances(cut([SPEECH] * 10, tail=100))
    assert closed.end == 10 * WINDOW + 100
    assert len(audio[-1].pcm) == 100


def test_after_a_flush_nothing_is_open_and_nothing_is_remembered():
    segmenter = Segmenter(CONFIG)
    word, hush = np.ones(WINDOW, np.int16), np.zeros(0, np.int16)
    for _ in range(5):
        segmenter.push(word, SPEECH, -20.0)
    segmenter.flush(hush)
    assert not segmenter.is_open
    assert segmenter.push(word, SPEECH, -20.0) == []
    assert segmenter.push(word, SPEECH, -20.0)[0] == Opened(5 * WINDOW, 5 * WINDOW)
