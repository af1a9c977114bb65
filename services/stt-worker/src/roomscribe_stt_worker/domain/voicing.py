"""Whether a clip holds a voice: something with a pitch, longer than a knock and shorter than a tone that goes on."""

import numpy as np
from numpy.typing import NDArray
from roomscribe_common.contracts.audio import SAMPLE_RATE

_FRAME, _HOP = SAMPLE_RATE // 25, SAMPLE_RATE // 100
_LOWEST_HZ, _HIGHEST_HZ = 70, 400
_LIKENESS = 0.75
"""Of a frame to itself a period later, -1 to 1."""
_LEAST_LEVEL = 10 ** (-50 / 20)
_LEAST_S, _LARGEST_SHARE = 0.1, 0.7
"""A lone "you" of four synthetic voices has 0.19 to 0.31 s of pitch in 0.8 s. Noises that are taken for one have 0.03 s
at most (hiss, hum, clicks, knocks, coughs, breath, rain, chords), or are a tone from end to end."""


def has_voice(samples: NDArray[np.float32]) -> bool:
    """Whether part of the clip, but not nearly all of it, has the pitch of a voice; `samples` in ±1."""
    if len(samples) < _FRAME:
        return False
    frames = np.lib.stride_tricks.sliding_window_view(samples, _FRAME)[::_HOP]
    frames = frames - frames.mean(axis=1, keepdims=True)
    loud = np.sqrt(np.mean(frames**2, axis=1)) >= _LEAST_LEVEL
    pitched_s = int(np.sum(_likeness(frames[loud]) >= _LIKENESS)) * _HOP / SAMPLE_RATE
    return _LEAST_S <= pitched_s <= _LARGEST_SHARE * len(samples) / SAMPLE_RATE


def _likeness(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each frame to itself, at the period of a voice that fits it best."""
    spectrum = np.fft.rfft(frames, 2 * _FRAME)
    products = np.fft.irfft(np.abs(spectrum) ** 2)[:, :_FRAME]
    overlap = 1 - np.arange(_FRAME) / _FRAME
    likeness = products / (products[:, :1] * overlap + 1e-12)
    periods = slice(SAMPLE_RATE // _HIGHEST_HZ, SAMPLE_RATE // _LOWEST_HZ)
    return likeness[:, periods].max(axis=1, initial=0.0)
