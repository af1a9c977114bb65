"""A meeting's transcript as the engines read it."""

from collections import Counter
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Segment:
    """Something somebody said; `speaker` is the name people see, or empty where it is not known."""

    id: str
    sequence: int
    speaker: str
    start_ms: int
    end_ms: int
    text: str
    language: str = "en"


@dataclass(frozen=True, slots=True)
class Transcript:
    """All segments of a meeting in the order they were spoken. `roster`: names of who was there."""

    title: str
    room: str
    segments: tuple[Segment, ...]
    roster: frozenset[str]

    @property
    def last_sequence(self) -> int:
        """The highest sequence read; 0 if nothing was said."""
        return max((segment.sequence for segment in self.segments), default=0)

    @property
    def language(self) -> str:
        """The language most segments are in."""
        counts = Counter(segment.language for segment in self.segments)
        return max(sorted(counts), key=lambda language: counts[language], default="en")
