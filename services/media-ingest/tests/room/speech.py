"""A recorded sentence, as a microphone would deliver it."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SENTENCE = Path(__file__).parent.parent / "audio" / "clips" / "sentence.wav"
RATE = 16_000


def speech() -> NDArray[np.int16]:
    """Four seconds of somebody speaking, at `RATE`."""
    with wave.open(str(SENTENCE)) as file:
        assert file.getframerate() == RATE
        return np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)


def silence(duration_s: float) -> NDArray[np.int16]:
    """Nobody speaking."""
    return np.zeros(int(duration_s * RATE), np.int16)
