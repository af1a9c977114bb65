"""The voice model: the file is the one that is named, and it hears what it should."""

import hashlib
import wave
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from roomscribe_media_ingest.adapters.silero import MODEL, SileroVad
from roomscribe_media_ingest.domain.config import WINDOW, AudioConfig
from roomscribe_media_ingest.domain.listener import Listener
from roomscribe_media_ingest.domain.segmenter import Audio, Closed, Cut, Opened, Pcm

SHA256 = "9ccdacc4719d8aa7e45a77536bfabec45a03ba1f2fad5e241ab4060b24238a85"
CLIPS = Path(__file__).parent / "clips"
SECOND = np.zeros(16_000, np.int16)


def clip(name: str) -> Pcm:
    with wave.open(str(CLIPS / name)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), np.int16)


def listen(vad: SileroVad, pcm: Pcm, portion: int = 1536) -> list[Cut]:
    listener = Listener(vad.track(), AudioConfig())
    cuts = [cut for at in range(0, len(pcm), portion) for cut in listener.take(pcm[at : at + portion])]
    return cuts + listener.flush()


def floats(pcm: Pcm) -> NDArray[np.float32]:
    return pcm[: len(pcm) // WINDOW * WINDOW].astype(np.float32) / np.float32(32768)


@pytest.fixture(scope="module")
def vad() -> SileroVad:
    return SileroVad()


def test_the_model_file_is_the_one_that_is_named():
    model = resources.files("roomscribe_media_ingest").joinpath("assets", MODEL).read_bytes()
    assert hashlib.sha256(model).hexdigest() == SHA256


def test_speech_is_heard_and_silence_is_not(vad: SileroVad):
    assert np.median(vad.track().probabilities(floats(clip("sentence.wav")))) > 0.9
    assert max(vad.track().probabilities(floats(SECOND))) < 0.2


def test_window_by_window_it_says_the_same_as_all_at_once(vad: SileroVad):
    samples = floats(clip("sentence.wav"))
    one, all_at_once = vad.track(), vad.track().probabilities(samples)
    each = [one.probabilities(samples[at : at + WINDOW])[0] for at in range(0, len(samples), WINDOW)]
    assert np.allclose(each, all_at_once, atol=1e-4)


def test_tracks_do_not_hear_each_other(vad: SileroVad):
    samples = floats(clip("sentence.wav"))
    alone = vad.track().probabilities(samples)
    one, other = vad.track(), vad.track()
    together: list[float] = []
    for at in range(0, len(samples), WINDOW):
        together += one.probabilities(samples[at : at + WINDOW])
        other.probabilities(np.zeros(WINDOW, np.float32))
    assert np.allclose(alone, together, atol=1e-4)


def test_the_portions_in_which_samples_come_do_not_change_the_cuts(vad: SileroVad):
    pcm = np.concatenate((SECOND, clip("sentence.wav"), SECOND, clip("yes.wav"), SECOND))
    once = listen(vad, pcm)

    def places(cuts: list[Cut]) -> list[Cut | int]:
        return [cut.first if isinstance(cut, Audio) else cut for cut in cuts]

    assert places(listen(vad, pcm, 160)) == places(listen(vad, pcm, 4_801)) == places(once)


@pytest.mark.parametrize(("name", "seconds"), [("sentence.wav", 2.0), ("yes.wav", 0.15)])
def test_a_clip_is_one_utterance_that_holds_all_of_it(vad: SileroVad, name: str, seconds: float):
    spoken = clip(name)
    cuts = listen(vad, np.concatenate((SECOND, spoken, SECOND)))
    (opened,) = [cut for cut in cuts if isinstance(cut, Opened)]
    (closed,) = [cut for cut in cuts if isinstance(cut, Closed)]
    assert opened.first <= len(SECOND)
    assert closed.end >= len(SECOND) + len(spoken) - 1_600
    assert closed.speech_end - opened.first > seconds * 16_000


@pytest.mark.parametrize("level", [0, 3, 300])
def test_hiss_of_any_level_is_no_utterance(vad: SileroVad, level: int):
    hiss = np.random.default_rng(1).normal(0, max(level, 1e-9), 10 * 16_000).astype(np.int16)
    assert listen(vad, hiss) == []


def test_clicks_are_no_utterance(vad: SileroVad):
    pcm = np.zeros(10 * 16_000, np.int16)
    pcm[::16_000] = 20_000
    pcm[5::8_000] = -20_000
    assert listen(vad, pcm) == []
