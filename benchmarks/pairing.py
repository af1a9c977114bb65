"""Which line of the script a segment belongs to. Pure; times in seconds on one clock."""

from collections.abc import Sequence
from dataclasses import dataclass

SLACK_S = 0.7
"""Segments begin with pre-roll and end at a pause: how far outside its line one may reach."""


@dataclass(frozen=True, slots=True)
class Span:
    """Who spoke, from when to when."""

    speaker: str
    begins: float
    ends: float


def of_line(line: Span, segment: Span) -> bool:
    """Whether the segment is the line, or a piece of it: the speaker's, and for more than half of the shorter one."""
    overlap = min(segment.ends, line.ends + SLACK_S) - max(segment.begins, line.begins - SLACK_S)
    shorter = min(segment.ends - segment.begins, line.ends - line.begins)
    return segment.speaker == line.speaker and overlap > shorter / 2


def alone(line: Span, lines: Sequence[Span]) -> bool:
    """Whether nobody else speaks during the line."""
    others = (other for other in lines if other is not line)
    return all(other.ends <= line.begins or other.begins >= line.ends for other in others)
