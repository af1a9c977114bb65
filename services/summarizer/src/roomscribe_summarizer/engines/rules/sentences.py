"""Sentences as they were said, each with the segments it stands in."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from roomscribe_summarizer.domain.transcript import Segment
from roomscribe_summarizer.engines.rules.cues import plain

_END = re.compile(r"(?<=[.?!…])[\"')\]]*\s+(?=\S)")
_ABBREVIATION = re.compile(r"\b(?:mr|mrs|ms|dr|prof|st|vs|e\.g|i\.e|approx|no|inc|ltd|etc)\.$", re.IGNORECASE)
_TERMINAL = re.compile(r"[.?!…][\"')\]]*$")
_PAUSE_MS = 3_000
_PUNCTUATED = 0.3
"""If fewer segments end in a full stop or the like, the engine behind them writes no punctuation."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence, verbatim. `index` counts over the meeting."""

    index: int
    text: str
    speaker: str
    segment_ids: tuple[str, ...]
    start_ms: int

    @property
    def plain(self) -> str:
        """The text as cues read it; every character keeps its place."""
        return plain(self.text)

    @property
    def is_question(self) -> bool:
        """Whether it ends as a question does."""
        return self.text.rstrip("\"')] ").endswith("?")


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    segment: Segment


def sentences(segments: Sequence[Segment]) -> list[Sentence]:
    """The meeting's sentences in order. One that a pause cut in two is put together and cites both segments."""
    spoken = [segment for segment in segments if segment.text.strip()]
    punctuated = sum(bool(_TERMINAL.search(s.text.strip())) for s in spoken) >= _PUNCTUATED * len(spoken)
    groups: list[list[_Piece]] = []
    for piece in _pieces(spoken):
        if groups and punctuated and _goes_on(groups[-1][-1], piece):
            groups[-1].append(piece)
        else:
            groups.append([piece])
    return [_sentence(index, group) for index, group in enumerate(groups)]


def _pieces(segments: Iterable[Segment]) -> Iterable[_Piece]:
    for segment in segments:
        held = ""
        for part in _END.split(" ".join(segment.text.split())):
            held = f"{held} {part}".strip()
            if not _ABBREVIATION.search(held):
                yield _Piece(held, segment)
                held = ""
        if held:
            yield _Piece(held, segment)


def _goes_on(before: _Piece, after: _Piece) -> bool:
    return (
        before.segment is not after.segment
        and before.segment.speaker == after.segment.speaker
        and after.segment.start_ms - before.segment.end_ms <= _PAUSE_MS
        and not _TERMINAL.search(before.text)
        and (after.text[0].islower() or before.text.endswith(",") or after.text.startswith(("I ", "I'")))
    )


def _sentence(index: int, group: Sequence[_Piece]) -> Sentence:
    first = group[0].segment
    ids = tuple(dict.fromkeys(piece.segment.id for piece in group))
    return Sentence(index, " ".join(piece.text for piece in group), first.speaker, ids, first.start_ms)
