"""How audio is cut into utterances and buffered: one frozen value, checked when it is made."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

WINDOW = 512
"""Samples Silero judges at a time: 32 ms."""
WINDOW_MS = 32
"""The same in milliseconds."""
STEP_WINDOWS = 3
"""Windows judged in one call of the model: 96 ms, the frame size to ask LiveKit for."""

Level = Annotated[float, Field(ge=-100, le=0)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class AudioConfig(BaseModel):
    """Times in milliseconds, levels in dBFS (RMS of a window). Measured choices: `benchmarks/segmentation.py`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate_level_db: Level = -60.0
    """Below this nothing is worth a look at by the model."""
    gate_margin_db: Annotated[float, Field(ge=0, le=30)] = 6.0
    """How far above the room's own noise a sound must be."""
    gate_hold_ms: Annotated[int, Field(ge=0, le=10_000)] = 1_000
    """How long the gate stays open after the last sound."""

    open_probability: Probability = 0.5
    close_probability: Probability = 0.35
    confirm_ms: Annotated[int, Field(ge=WINDOW_MS, le=500)] = 64
    """Speech there must be before an utterance is opened; a click has less."""
    pre_roll_ms: Annotated[int, Field(ge=0, le=2_000)] = 352
    pause_ms: Annotated[int, Field(ge=WINDOW_MS, le=2_000)] = 128
    """Silence after which a pause is marked, so that decoding may begin early. If what was decoded ends a sentence, and
    nobody has spoken on since, that closes the utterance;"""
    close_ms: Annotated[int, Field(ge=WINDOW_MS, le=5_000)] = 512
    """else so much silence does."""
    short_ms: Annotated[int, Field(ge=0, le=10_000)] = 2_000
    """An utterance shorter than this is likely an unfinished sentence, and a piece of one is understood badly,"""
    close_short_ms: Annotated[int, Field(ge=WINDOW_MS, le=5_000)] = 768
    """so it takes this much silence to close it."""
    max_ms: Annotated[int, Field(ge=2_000, le=30_000)] = 15_000
    """Longest utterance; split there at the quietest point of the last `split_search_ms`."""
    split_search_ms: Annotated[int, Field(ge=500, le=15_000)] = 4_000
    stalled_ms: Annotated[int, Field(ge=200, le=8_000)] = 2_000
    """An open utterance whose track brings no frames for this long is closed."""

    chunk_ms: Annotated[int, Field(ge=WINDOW_MS, le=500)] = 192
    buffer_bytes: Annotated[int, Field(ge=1)] = 64 * 32_000
    """Audio kept per track while the bus does not take it."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.close_probability > self.open_probability:
            raise ValueError("close_probability must not be above open_probability")
        if self.pause_ms >= self.close_ms:
            raise ValueError("pause_ms must be below close_ms")
        if 2 * self.split_search_ms > self.max_ms:
            raise ValueError("split_search_ms must be at most half of max_ms")
        if self.buffer_bytes < 2 * 32 * (self.max_ms + self.chunk_ms):
            raise ValueError("buffer_bytes must hold two utterances of max_ms, 32 bytes a millisecond")
        return self


def windows(duration_ms: int) -> int:
    """Windows that cover a duration."""
    return -(-duration_ms // WINDOW_MS)
