"""Samples to the bytes of a WAV file, for engines that take files."""

import io
import wave

import numpy as np
from numpy.typing import NDArray

from roomscribe_stt_worker.engines.protocol import SAMPLE_RATE_HZ


def to_wav(samples: NDArray[np.float32]) -> bytes:
    """16-bit mono WAV at 16 kHz; what is beyond ±1 is clipped."""
    pcm = (np.clip(samples, -1.0, 1.0) * 32767).astype("<i2")
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes(pcm.tobytes())
    return buffer.getvalue()
