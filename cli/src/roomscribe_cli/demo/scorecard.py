"""The scorecard: what was understood against what was said. Pure; nothing here talks to a server.

Words are compared in lower case, without punctuation, as `jiwer` counts substitutions, deletions and insertions.
"""

import re
import statistics
from dataclasses import dataclass, field

import jiwer
from roomscribe_common.contracts.insight import Cited, MinutesData
from roomscribe_common.contracts.transcript import TranscriptFinalData
from roomscribe_common.contracts.usage import MeetingUsageData

from roomscribe_cli.demo.script import Line, Script, spoken_s

MAX_WORD_ERROR_RATE = 0.06
_SLACK_S = 0.7
"""Segments begin with pre-roll and end at a pause: how far outside its line one may reach."""


@dataclass(frozen=True, slots=True)
class HeardFinal:
    """A final and the Unix time it reached the listener."""

    data: TranscriptFinalData
    at: float


@dataclass(frozen=True, slots=True)
class Connection:
    """One stay of a person in the room, as the person saw it, in seconds."""

    identity: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that was seen from outside: finals as they came, gaps, who was connected, and the ledger's answer."""

    script: Script
    starts_at: float
    finals: list[HeardFinal]
    gap_ms: int
    connections: list[Connection]
    usage: MeetingUsageData | None
    minutes: MinutesData | None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One run's figures; `failures` says in words which thresholds were missed."""

    word_error_rate: float
    words: int
    lines: int
    lines_under_right_name: int
    latency_p50_s: float | None
    latency_p95_s: float | None
    lost: int
    duplicates: int
    sequence_holes: int
    gap_ms: int
    minutes_expected: dict[str, int]
    minutes_billed: dict[str, int]
    items_expected: int
    items_found: int
    failures: list[str] = field(default_factory=list[str])


@dataclass(frozen=True, slots=True)
class Outcome:
    """One meeting's results: what was heard, and the figures."""

    meeting: str
    finals: list[HeardFinal]
    minutes: MinutesData | None
    usage: MeetingUsageData | None
    card: Scorecard


def normal(text: str) -> str:
    """Words only, in lower case."""
    return " ".join(re.sub(r"[^a-z0-9 ]", " ", text.lower().replace("'", "").replace("’", "")).split())


def _overlapping(evidence: Evidence, line: Line) -> list[HeardFinal]:
    """The finals under the speaker's own identity that lie in the line's time."""
    began, ended = (evidence.starts_at + s for s in spoken_s(line))
    found: list[HeardFinal] = []
    for final in evidence.finals:
        start = final.data.started_at.timestamp()
        end = start + (final.data.end_ms - final.data.start_ms) / 1000
        overlap = min(end, ended + _SLACK_S) - max(start, began - _SLACK_S)
        if final.data.participant.identity == line.speaker and overlap > min(end - start, ended - began) / 2:
            found.append(final)
    return found


def _words(evidence: Evidence) -> tuple[float, int]:
    """Word error rate over all people, each person's words in the order of their segments' starts."""
    said: list[str] = []
    heard: list[str] = []
    for person in evidence.script.people:
        mine = [f.data for f in evidence.finals if f.data.participant.identity == person.identity]
        heard.append(normal(" ".join(d.text for d in sorted(mine, key=lambda d: d.start_ms))) or "nothing")
        said.append(normal(" ".join(line.text for line in evidence.script.lines_of(person.identity))))
    return float(jiwer.wer(said, heard)), sum(len(text.split()) for text in said)


def _right_name(evidence: Evidence, line: Line, finals: list[HeardFinal]) -> bool:
    """Half of the line's words or more, under the name its speaker has in the room, and under no other name."""
    name = evidence.script.name_of(line.speaker)
    text = normal(" ".join(f.data.text for f in sorted(finals, key=lambda f: f.data.start_ms)))
    if not text or any(f.data.participant.name != name or f.data.speaker.label != name for f in finals):
        return False
    measures = jiwer.process_words(normal(line.text), text)
    return measures.hits >= len(normal(line.text).split()) / 2


def _minutes(evidence: Evidence) -> tuple[dict[str, int], dict[str, int]]:
    """Connection minutes per person, each connection rounded up to a started minute: by the script, by the ledger."""
    expected: dict[str, int] = {}
    for connection in evidence.connections:
        expected[connection.identity] = expected.get(connection.identity, 0) + -int(-connection.seconds // 60)
    billed: dict[str, int] = {}
    people = {person.identity for person in evidence.script.people}
    for line in evidence.usage.lines if evidence.usage else []:
        if line.meter == "webrtc_participant_minutes" and line.identity in people:
            billed[line.identity] = billed.get(line.identity, 0) + int(line.billed)
    return expected, billed


def _items_found(evidence: Evidence) -> int:
    """How many of the script's decisions, action items and open questions the minutes have, citing the line."""
    minutes, expect = evidence.minutes, evidence.script.expect
    if minutes is None:
        return 0

    def cites(item: Cited, line: int) -> bool:
        said = {f.data.segment_id for f in _overlapping(evidence, evidence.script.lines[line - 1])}
        return bool(said & set(item.segment_ids))

    found = sum(any(cites(item, line) for item in minutes.decisions) for line in expect.decisions)
    found += sum(any(cites(item, line) for item in minutes.open_questions) for line in expect.open_questions)
    for wanted in expect.action_items:
        found += any(i.owner == wanted.owner and cites(i, wanted.line) for i in minutes.action_items)
    return found


def _latencies(evidence: Evidence) -> list[float]:
    """For each line that was understood: from the true end of its speech to its last final, in seconds."""
    waits: list[float] = []
    for line in evidence.script.lines:
        if finals := _overlapping(evidence, line):
            waits.append(max(f.at for f in finals) - evidence.starts_at - spoken_s(line)[1])
    return sorted(waits)


def score(evidence: Evidence, *, max_word_error_rate: float = MAX_WORD_ERROR_RATE) -> Scorecard:
    """The figures of one run, and which of them miss their threshold."""
    by_line = [(line, _overlapping(evidence, line)) for line in evidence.script.lines]
    word_error_rate, words = _words(evidence)
    ids = [(f.data.segment_id, f.data.revision) for f in evidence.finals]
    sequences = {f.data.sequence for f in evidence.finals}
    expected, billed = _minutes(evidence)
    waits = _latencies(evidence)
    card = Scorecard(
        word_error_rate=round(word_error_rate, 4),
        words=words,
        lines=len(by_line),
        lines_under_right_name=sum(_right_name(evidence, line, finals) for line, finals in by_line),
        latency_p50_s=round(statistics.median(waits), 3) if waits else None,
        latency_p95_s=round(waits[min(len(waits) - 1, int(len(waits) * 0.95))], 3) if waits else None,
        lost=sum(not finals for _, finals in by_line),
        duplicates=len(ids) - len(set(ids)),
        sequence_holes=max(sequences) - len(sequences) if sequences else 0,
        gap_ms=evidence.gap_ms,
        minutes_expected=expected,
        minutes_billed=billed,
        items_expected=evidence.script.expect.count,
        items_found=_items_found(evidence),
    )
    card.failures.extend(_failures(card, max_word_error_rate))
    return card


def _failures(card: Scorecard, max_word_error_rate: float) -> list[str]:
    checks = [
        (
            card.word_error_rate <= max_word_error_rate,
            f"word error rate {card.word_error_rate:.1%} is above {max_word_error_rate:.0%}",
        ),
        (
            card.lines_under_right_name == card.lines,
            f"{card.lines - card.lines_under_right_name} lines not under the right name",
        ),
        (card.lost == 0, f"{card.lost} lines lost"),
        (card.duplicates == 0, f"{card.duplicates} duplicate segments"),
        (card.sequence_holes == 0, f"{card.sequence_holes} holes in the sequence"),
        (card.gap_ms == 0, f"{card.gap_ms} ms of speech missing"),
        (
            card.items_found == card.items_expected,
            f"minutes hold {card.items_found} of {card.items_expected} decisions, action items and open questions",
        ),
        (
            card.minutes_billed == card.minutes_expected,
            f"billed {card.minutes_billed}, the script has {card.minutes_expected}",
        ),
    ]
    return [text for passed, text in checks if not passed]
