"""Transcripts from plain lines such as `Anna: Good morning.`."""

from roomscribe_summarizer.domain.draft import Draft
from roomscribe_summarizer.domain.transcript import Segment, Transcript
from roomscribe_summarizer.engines.extractive import extract


def transcript(lines: str, *, title: str = "", room: str = "planning", language: str = "en") -> Transcript:
    """One segment per line, 3 s apart, with the ids `s1`, `s2`, …."""
    segments: list[Segment] = []
    for line in (line.strip() for line in lines.strip().split("\n")):
        speaker, _, text = line.partition(": ")
        number = len(segments) + 1
        start_ms = number * 3_000
        segments.append(Segment(f"s{number}", number, speaker, start_ms, start_ms + 2_500, text, language))
    return Transcript(title, room, tuple(segments), frozenset(segment.speaker for segment in segments))


def minutes(lines: str, *, title: str = "") -> Draft:
    """What the extractive engine makes of it."""
    return extract(transcript(lines, title=title))


def tasks(lines: str) -> list[tuple[str, str | None, str | None]]:
    """Text, owner and due date of each action item."""
    return [(task.text, task.owner, task.due) for task in minutes(lines).tasks]


def decided(lines: str) -> list[tuple[str, str]]:
    """Text and segments of each decision."""
    return [(one.text, " ".join(one.segment_ids)) for one in minutes(lines).decisions]


def asked(lines: str) -> list[str]:
    """Text of each open question."""
    return [one.text for one in minutes(lines).questions]
