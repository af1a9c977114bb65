"""Several takes of one clip, decoded as one."""

from itertools import product

import numpy as np
import pytest
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.protocol import Clip
from roomscribe_stt_worker.engines.takes import TEMPOS, agreed, takes

from .conftest import Spoken, words

AT_5_DB = 10 ** (-5 / 20)
NAMES = ("roadmap", "budget", "question", "answer")


def test_an_ordinary_clip_is_heard_once_as_it_is() -> None:
    samples = np.arange(100, dtype=np.float32)
    [only] = takes(Clip(samples))
    assert only is samples


def test_a_thorough_clip_is_heard_in_takes_of_one_length_and_different_tempos() -> None:
    tone = np.sin(2 * np.pi * 400 * np.arange(16_000) / 16_000).astype(np.float32)
    heard = takes(Clip(tone, thorough=True))
    assert len({len(take) for take in heard}) == 1
    assert {take.dtype for take in heard} == {np.dtype(np.float32)}
    bins = [int(np.abs(np.fft.rfft(take[:15_000])).argmax()) for take in heard]
    assert bins == pytest.approx([tempo * 400 * 15_000 / 16_000 for tempo in TEMPOS], abs=1)


@pytest.mark.parametrize("length", [0, 1, 160])
def test_a_thorough_clip_may_be_as_short_as_any(moonshine: Moonshine, length: int) -> None:
    [found] = moonshine.transcribe([Clip(np.zeros(length, np.float32), thorough=True)])
    assert len(found.tokens) <= 1


def test_the_word_that_no_take_doubts_wins_over_the_one_that_a_single_take_is_sure_of() -> None:
    logits = np.log(np.array([[0.6, 0.4, 1e-6], [1e-3, 0.5, 0.5]], np.float32))
    [logs] = agreed(logits, 2)
    assert logs.argmax() == 1
    assert np.exp(logs[1]) == pytest.approx(np.sqrt(0.4 * 0.5), rel=1e-3)


def test_each_clip_of_a_batch_agrees_only_with_itself() -> None:
    logits = np.log(np.array([[0.9, 0.1], [0.8, 0.2], [0.1, 0.9], [0.2, 0.8]], np.float32))
    assert agreed(logits, 2).argmax(axis=-1).tolist() == [0, 1]


def test_thorough_and_ordinary_clips_in_one_call_come_out_in_order(
    moonshine: Moonshine, spoken: dict[str, Spoken]
) -> None:
    clips = [Clip(spoken[name].samples, thorough=thorough) for name in NAMES for thorough in (True, False)]
    found = moonshine.transcribe(clips)
    assert [words(one.text) for one in found] == [words(spoken[name].text) for name in NAMES for _ in (True, False)]


def test_a_draft_changes_no_word_of_a_thorough_decode(moonshine: Moonshine, spoken: dict[str, Spoken]) -> None:
    samples = spoken["budget"].samples
    [draft] = moonshine.transcribe([Clip(samples[: len(samples) // 2])])
    [found] = moonshine.transcribe([Clip(samples, draft=draft, thorough=True)])
    assert words(found.text) == words(spoken["budget"].text)


def test_speech_in_noise_keeps_more_of_its_words(moonshine: Moonshine, spoken: dict[str, Spoken]) -> None:
    def lost(thorough: bool) -> int:
        count = 0
        for name, seed in product(NAMES, range(3)):
            samples = spoken[name].samples
            noise = np.random.default_rng(seed).normal(size=len(samples)) * np.std(samples) * AT_5_DB
            clip = Clip((samples + noise).astype(np.float32), thorough=thorough)
            count += len(set(spoken[name].words) - set(words(moonshine.transcribe([clip])[0].text)))
        return count

    assert lost(thorough=True) < lost(thorough=False)
