"""Audio files as tracks of a meeting."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
import soxr  # pyright: ignore[reportMissingTypeStubs]  # the package ships no types
from numpy.typing import NDArray
from roomscribe_common.contracts.audio import SAMPLE_RATE

_MAX_S = 12 * 3600


class BadRecording(Exception):
    """A file that cannot be replayed; the message names it and says why."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One person's track: 16-bit mono samples at 16 kHz, which begin `at_s` after the meeting's start."""

    identity: str
    name: str
    samples: NDArray[np.int16]
    at_s: float = 0.0

    @property
    def end_s(self) -> float:
        """Where it ends, from the meeting's start."""
        return self.at_s + len(self.samples) / SAMPLE_RATE


def read(argument: str) -> Recording:
    """A recording from `FILE` or `NAME=FILE`; without a name the file's own is taken. Raises `BadRecording`.

    Any format libsndfile reads: WAV, FLAC, Ogg (Vorbis or Opus), MP3. Channels are averaged.
    """
    name, _, file = argument.rpartition("=")
    path = Path(file)
    try:
        info = sf.info(path)  # pyright: ignore[reportUnknownMemberType]
        if info.duration > _MAX_S:
            raise BadRecording(f"{path}: {info.duration / 3600:.1f} hours long; at most {_MAX_S // 3600}")
        samples, rate = sf.read(path, dtype="float32", always_2d=True)  # pyright: ignore[reportUnknownMemberType]
    except (sf.LibsndfileError, OSError) as error:
        reason = "no such file" if not path.exists() else f"not audio that can be read ({error})"
        raise BadRecording(f"{path}: {reason}; give WAV, FLAC, Ogg or MP3") from error
    mono: NDArray[np.float32] = np.asarray(samples, np.float32).mean(axis=1)
    if not len(mono):
        raise BadRecording(f"{path}: holds no samples")
    resampled: NDArray[np.float32] = soxr.resample(mono, rate, SAMPLE_RATE)
    return Recording(path.stem, name or path.stem, (np.clip(resampled, -1, 1) * 32767).astype(np.int16))


def read_all(arguments: Iterable[str]) -> list[Recording]:
    """All of them; two of one name are refused, for nobody could tell them apart."""
    recordings = [read(argument) for argument in arguments]
    seen: set[str] = set()
    for recording in recordings:
        if recording.identity in seen:
            raise BadRecording(f"two files are called {recording.identity!r}: rename one")
        seen.add(recording.identity)
    return recordings
