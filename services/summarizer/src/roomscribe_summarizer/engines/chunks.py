"""A long transcript in parts a model can read."""

from collections.abc import Sequence

from roomscribe_summarizer.domain.transcript import Segment

_OVERHEAD = 40
"""Characters a segment takes besides its speaker and text."""


def chunks(segments: Sequence[Segment], most_chars: int) -> list[list[int]]:
    """Indexes of segments by part, in order; a part holds at most `most_chars`, or a single longer segment."""
    parts: list[list[int]] = []
    room = 0
    for index, segment in enumerate(segments):
        size = len(segment.speaker) + len(segment.text) + _OVERHEAD
        if not parts or size > room:
            parts.append([])
            room = most_chars
        parts[-1].append(index)
        room -= size
    return parts
