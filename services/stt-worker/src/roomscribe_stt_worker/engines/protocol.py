"""What every speech-to-text engine takes and gives."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What an engine heard in one clip.

    `token_probabilities` holds one value in 0..1 per token, end of text included; empty where an engine gives none.
    `tokens` are the engine's own: hand the hypothesis back as the `draft` of a longer take of the same audio.
    """

    text: str
    language: str
    token_probabilities: tuple[float, ...] = ()
    tokens: tuple[int, ...] = ()

    @property
    def confidence(self) -> float | None:
        """The geometric mean of the token probabilities; None where the engine gives none."""
        if not self.token_probabilities:
            return None
        logs = [math.log(max(p, 1e-6)) for p in self.token_probabilities]
        return math.exp(sum(logs) / len(logs))


@dataclass(frozen=True, slots=True)
class Clip:
    """One piece of speech to transcribe, with what is already known about it.

    `thorough`: its words stay, so they are worth more computing, where an engine can turn that into fewer errors.
    """

    samples: NDArray[np.float32]
    language: str | None = None
    keyterms: tuple[str, ...] = ()
    draft: Hypothesis | None = None
    thorough: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the audio in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ


class EngineUnavailable(Exception):
    """The engine could not answer now; the same clip may succeed later."""


class EngineRefused(Exception):
    """The engine will never accept this clip or these settings."""


class Engine(Protocol):
    """Turns clips to text. Called from decode threads, several at once, never from the event loop."""

    @property
    def provider(self) -> str:
        """Who makes the engine, as in `stt.provider` of a transcript."""
        ...

    @property
    def model(self) -> str:
        """The model's name, as in `stt.model` of a transcript."""
        ...

    @property
    def batch_limit(self) -> int:
        """The most clips one call gains from."""
        ...

    @property
    def patience_s(self) -> float:
        """A call is hung that used no CPU for this many seconds: longer than it may ever wait for somebody else."""
        ...

    def transcribe(self, clips: Sequence[Clip]) -> list[Hypothesis]:
        """One hypothesis per clip, in order.

        Raises `EngineUnavailable` or `EngineRefused`.
        """
        ...

    def close(self) -> None:
        """Give back what the engine holds."""
        ...
