"""What every engine must do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from roomscribe_stt_worker.domain.nonspeech import believe
from roomscribe_stt_worker.engines.moonshine import Moonshine
from roomscribe_stt_worker.engines.openai_compatible import OpenAiCompatible
from roomscribe_stt_worker.engines.protocol import Clip, Engine

from .conftest import Server, Spoken, words

NAMES = ("roadmap", "budget", "question", "answer")


@pytest.fixture(params=["moonshine", "openai"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "moonshine":
        embedded: Moonshine = request.getfixturevalue("moonshine")
        yield embedded
        return
    server: Server = request.getfixturevalue("openai_server")
    remote = OpenAiCompatible(server.url, "whisper-1")
    yield remote
    remote.close()


@pytest.mark.parametrize("name", NAMES)
def test_the_words_that_were_said_come_out(engine: Engine, spoken: dict[str, Spoken], name: str) -> None:
    [found] = engine.transcribe([Clip(spoken[name].samples)])
    assert words(found.text) == words(spoken[name].text)


def test_several_clips_of_different_lengths_come_out_in_order(engine: Engine, spoken: dict[str, Spoken]) -> None:
    found = engine.transcribe([Clip(spoken[name].samples) for name in NAMES])
    assert [words(h.text) for h in found] == [words(spoken[name].text) for name in NAMES]


def test_no_clips_give_no_words(engine: Engine) -> None:
    assert engine.transcribe([]) == []


@pytest.mark.parametrize("length", [0, 1, 160, 4_000])
def test_a_clip_too_short_for_a_word_gives_none_that_is_believed(engine: Engine, length: int) -> None:
    [found] = engine.transcribe([Clip(np.zeros(length, np.float32))])
    assert believe(found, length / 16_000).text == ""


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("loudness", [0.0, 0.001, 0.1])
def test_noise_without_a_voice_gives_no_word_that_is_believed(engine: Engine, loudness: float, thorough: bool) -> None:
    noise = np.random.default_rng(7).normal(size=4 * 16_000) * loudness
    [found] = engine.transcribe([Clip(noise.astype(np.float32), thorough=thorough)])
    assert believe(found, 4.0).text == ""


def test_clear_speech_is_believed_and_says_how_sure_it_is(engine: Engine, spoken: dict[str, Spoken]) -> None:
    [found] = engine.transcribe([Clip(spoken["roadmap"].samples)])
    heard = believe(found, 4.5)
    assert heard.text == found.text
    assert 0.5 < heard.confidence <= 1.0


def test_the_hypothesis_of_the_first_half_as_draft_changes_no_word(engine: Engine, spoken: dict[str, Spoken]) -> None:
    samples = spoken["budget"].samples
    [draft] = engine.transcribe([Clip(samples[: len(samples) // 2])])
    [found] = engine.transcribe([Clip(samples, draft=draft)])
    assert words(found.text) == words(spoken["budget"].text)


def test_a_draft_of_other_speech_does_no_harm(engine: Engine, spoken: dict[str, Spoken]) -> None:
    [draft] = engine.transcribe([Clip(spoken["budget"].samples)])
    [found] = engine.transcribe([Clip(spoken["question"].samples, draft=draft)])
    assert words(found.text) == words(spoken["question"].text)


def test_threads_may_decode_at_the_same_time(engine: Engine, spoken: dict[str, Spoken]) -> None:
    def heard(name: str) -> str:
        return engine.transcribe([Clip(spoken[name].samples)])[0].text

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(heard, NAMES))
    assert [words(text) for text in found] == [words(spoken[name].text) for name in NAMES]


def test_it_says_who_it_is_and_how_long_to_wait(engine: Engine) -> None:
    assert engine.provider
    assert engine.model
    assert engine.batch_limit >= 1
    assert 0 < engine.patience_s <= 130
