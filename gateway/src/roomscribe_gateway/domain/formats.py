"""A transcript as text: plain, Markdown, WebVTT, SubRip, CSV. Pure functions from a transcript to a string."""

import csv
import io
import re

from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptGapData

from roomscribe_gateway.domain.transcript import Transcript, clock, line, name_of, short_clock, who

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!&])")
_LIST_START = re.compile(r"^(\d+)([.)])|^([-+])")
_CSV_COLUMNS = (
    "kind", "sequence", "revision", "start", "end", "start_ms", "end_ms", "identity", "name", "speaker", "basis",
    "language", "confidence", "text", "segment_id",
)  # fmt: skip


def to_txt(transcript: Transcript) -> str:
    """One line a segment: `[00:00:05] Ada: text`."""
    lines = [transcript.heading, f"({_standing(transcript)})", ""]
    for item in transcript.in_order():
        if isinstance(item, TranscriptGapData):
            lines.append(f"[{short_clock(item.start_ms)}] ({_missing(item)})")
        else:
            lines.append(f"[{short_clock(item.start_ms)}] {who(item)}: {line(item.text)}")
    return "\n".join(lines) + "\n"


def to_md(transcript: Transcript) -> str:
    """Markdown; what people said or are called cannot become markup."""
    lines = [f"# {_md(transcript.heading)}", "", f"- Room: {_md(line(transcript.room))}"]
    if transcript.started_at:
        lines.append(f"- Started: {transcript.started_at:%Y-%m-%d %H:%M} UTC")
    lines += [f"- Transcript: {_standing(transcript)}", ""]
    for item in transcript.in_order():
        if isinstance(item, TranscriptGapData):
            lines += [f"*{short_clock(item.start_ms)} {_md(_missing(item))}*", ""]
        else:
            lines += [f"**{_md(who(item))}** {short_clock(item.start_ms)}  ", _md(line(item.text)), ""]
    return "\n".join(lines)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT with a voice tag per cue; gaps are notes."""
    blocks = [f"WEBVTT {_vtt(transcript.heading)}".rstrip()]
    for item in transcript.in_order():
        if isinstance(item, TranscriptGapData):
            blocks.append(f"NOTE {clock(item.start_ms)} {_vtt(_missing(item))}")
        else:
            blocks.append(f"{item.segment_id}\n{_span(item)}\n<v {_vtt(who(item))}>{_vtt(line(item.text))}</v>")
    return "\n\n".join(blocks) + "\n"


def to_srt(transcript: Transcript) -> str:
    """SubRip; the speaker stands before the text."""
    blocks = [
        f"{number}\n{_span(segment, ',')}\n{who(segment)}: {line(segment.text).replace('-->', '→')}\n"
        for number, segment in enumerate(transcript.segments, start=1)
    ]
    return "\n".join(blocks)


def to_csv(transcript: Transcript) -> str:
    """CSV (RFC 4180) with a header; cells a spreadsheet would run as a formula begin with an apostrophe."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(_CSV_COLUMNS)
    for item in transcript.in_order():
        writer.writerow([cell(value) for value in _row(item)])
    return out.getvalue()


def _row(item: TranscriptFinalData | TranscriptGapData) -> list[str | int | float]:
    times = [clock(item.start_ms), clock(item.end_ms), item.start_ms, item.end_ms]
    person = [item.participant.identity, line(item.participant.name)]
    if isinstance(item, TranscriptGapData):
        return ["gap", "", "", *times, *person, "", "", "", "", f"({_missing(item)})", item.segment_id]
    spoken = [who(item), item.speaker.basis, item.language, item.confidence, line(item.text), item.segment_id]
    return ["segment", item.sequence, item.revision, *times, *person, *spoken]


def cell(value: str | int | float) -> str | int | float:
    """The value, but no text that a spreadsheet would run as a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in set("=+-@\t\r") else value


def _span(segment: TranscriptFinalData, separator: str = ".") -> str:
    # A cue must end after it starts.
    end_ms = max(segment.end_ms, segment.start_ms + 1)
    return f"{clock(segment.start_ms, separator)} --> {clock(end_ms, separator)}"


def _missing(gap: TranscriptGapData) -> str:
    seconds = (gap.end_ms - gap.start_ms) / 1000
    return f"{seconds:.1f} s of {name_of(gap.participant)} are missing: {gap.reason.replace('_', ' ')}"


def _standing(transcript: Transcript) -> str:
    return f"meeting {transcript.state}, transcript {'complete' if transcript.complete else 'not complete yet'}"


def _md(text: str) -> str:
    return _LIST_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[1] else f"\\{m[3]}", _MARKDOWN.sub(r"\\\1", text))


def _vtt(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
