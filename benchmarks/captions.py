"""What somebody in the room read, and how soon, for each line that was spoken. Pure; times in seconds on one clock.

For lines of which nobody speaks into another's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.pairing import Span

_EARLY_S = 0.3
"""A final may come so much before the end of its line, and still be of all of it: the end of a word may be too soft to
matter."""


@dataclass(frozen=True, slots=True)
class Caption:
    """Words under a speaker's name, complete at a moment."""

    at: float
    speaker: str
    segment: str
    text: str
    final: bool


@dataclass(frozen=True, slots=True)
class Read:
    """Of one line, in milliseconds; None where nothing came."""

    final_ms: float | None
    """From the end of its speech to its last final."""
    words_ms: float | None
    """From the start of its speech to the first words of it, final or not."""
    between_ms: tuple[float, ...]
    """From one update of a piece of it to the next, while it was spoken."""


def of_lines(lines: Sequence[Span], captions: Sequence[Caption]) -> list[Read]:
    """One for each line. A speaker's captions belong to the line that was begun last."""
    found: list[Read] = []
    for line in lines:
        later = [other.begins for other in lines if other.speaker == line.speaker and other.begins > line.begins]
        until = min(later, default=float("inf"))
        found.append(_read(line, [c for c in captions if c.speaker == line.speaker and line.begins <= c.at < until]))
    return found


def _read(line: Span, captions: Sequence[Caption]) -> Read:
    worded = [caption for caption in captions if caption.text]
    final = max((caption.at for caption in worded if caption.final), default=0.0)
    steps = [
        1000 * (after.at - before.at)
        for before, after in pairwise(worded)
        if before.segment == after.segment and not after.final and after.at <= line.ends
    ]
    return Read(
        final_ms=1000 * (final - line.ends) if final > line.ends - _EARLY_S else None,
        words_ms=1000 * (worded[0].at - line.begins) if worded else None,
        between_ms=tuple(steps),
    )


def said(speaker: str, captions: Iterable[Caption]) -> str:
    """A speaker's final words; the last text of each segment counts, in the order the segments came."""
    segments: dict[str, str] = {}
    for caption in captions:
        if caption.speaker == speaker and caption.final:
            segments[caption.segment] = caption.text
    return " ".join(text for text in segments.values() if text)
