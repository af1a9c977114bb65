"""What was seen of one trial meeting, from outside: in LiveKit, in the NATS streams, in the database, on the API."""

from dataclasses import dataclass, field
from datetime import datetime

from roomscribe_cli.client import ServerSentEvent
from roomscribe_cli.demo.people import Happened
from roomscribe_cli.demo.script import Script, spoken_s
from roomscribe_common.contracts.meeting import MeetingEnded
from roomscribe_common.contracts.stt import SttFinal, SttGap
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptFinal,
    TranscriptFinalData,
    TranscriptGapData,
)
from roomscribe_common.contracts.usage import MeetingUsageData

from tests.chaos.words import Sentence, Span


@dataclass(frozen=True)
class Member:
    """A participant as LiveKit lists it."""

    sid: str
    identity: str
    agent: bool
    joined_at: float


@dataclass(frozen=True)
class Look:
    """One answer of LiveKit's ListParticipants; `members` is None if it gave none.

    `waited_s`: for how long by then, since the machine was started, something had to wait for a processor.
    """

    at: float
    members: list[Member] | None
    waited_s: float = 0.0


@dataclass(frozen=True)
class Connection:
    """One participant's connection as LiveKit told it: by its list, and by its webhooks where the list was too slow."""

    sid: str
    identity: str
    joined_at: float
    left_at: float


@dataclass
class Stored:
    """All messages of the meeting in the streams, oldest first."""

    finals: list[TranscriptFinal] = field(default_factory=list[TranscriptFinal])
    revised: list[TranscriptFinalData] = field(default_factory=list[TranscriptFinalData])
    gaps: list[TranscriptGapData] = field(default_factory=list[TranscriptGapData])
    completed: list[TranscriptCompleted] = field(default_factory=list[TranscriptCompleted])
    stt_finals: list[SttFinal] = field(default_factory=list[SttFinal])
    stt_gaps: list[SttGap] = field(default_factory=list[SttGap])
    ended: list[MeetingEnded] = field(default_factory=list[MeetingEnded])
    minutes: int = 0
    started_at: datetime | None = None

    def latest(self) -> list[TranscriptFinalData]:
        """The present revision of each segment, in the order of speech."""
        segments: dict[str, TranscriptFinalData] = {}
        for data in [*(final.data for final in self.finals), *self.revised]:
            if data.segment_id not in segments or data.revision >= segments[data.segment_id].revision:
                segments[data.segment_id] = data
        return sorted(segments.values(), key=lambda data: data.start_ms)


@dataclass
class Live:
    """What plain subscribers heard while it happened: with Unix times; they may have been cut off now and then."""

    finals: list[tuple[float, TranscriptFinalData]] = field(default_factory=list[tuple[float, TranscriptFinalData]])
    opened: dict[str, float] = field(default_factory=dict[str, float])
    interims: list[float] = field(default_factory=list[float])


@dataclass
class Evidence:
    """One meeting."""

    meeting: str
    script: Script
    began: float
    stored: Stored
    live: Live
    told: list[ServerSentEvent]
    """The gateway's event stream, resumed whenever it broke off."""
    looks: list[Look]
    connections: list[Connection]
    happened: list[Happened]
    usage: MeetingUsageData | None
    archived: list[str]
    """The segment ids in the gateway's database."""
    left_behind: list[str]

    def at(self, second: float) -> float:
        """The Unix time of a second of the script."""
        return self.began + second

    def span_of(self, start_ms: int, end_ms: int) -> Span:
        """What the product dates by the meeting's time zero, in Unix time."""
        zero = self.stored.started_at.timestamp() if self.stored.started_at else 0.0
        return Span(zero + start_ms / 1000, zero + end_ms / 1000)

    def sentences(self, identity: str) -> list[Sentence]:
        """The lines of a person, at the times at which they were really spoken."""
        told = {(happened.what, happened.line): happened.at for happened in self.happened if happened.line}
        sentences: list[Sentence] = []
        for number, line in enumerate(self.script.lines, 1):
            begins_s, ends_s = spoken_s(line)
            begin = told.get(("speaks", number), self.at(begins_s))
            if line.speaker == identity:
                sentences.append(Sentence(number, line.text, Span(begin, told.get(("spoke", number), self.at(ends_s)))))
        return sentences

    def sentence(self, number: int) -> Span:
        """When line `number`, counted from 1, was really spoken."""
        speaker = self.script.lines[number - 1].speaker
        return next(sentence.span for sentence in self.sentences(speaker) if sentence.number == number)

    def speakers_late_s(self) -> float:
        """By how much the speakers lagged behind the script at worst: a machine that starves them garbles them."""
        return max(self.sentence(n).end - self.at(spoken_s(line)[1]) for n, line in enumerate(self.script.lines, 1))

    def agents(self) -> list[tuple[float, set[str]]]:
        """Which agents (by SID) LiveKit listed at which Unix times."""
        return [
            (look.at, {member.sid for member in look.members if member.agent})
            for look in self.looks
            if look.members is not None
        ]

    def agent_back_after_s(self, died: float) -> float | None:
        """Seconds from a death until LiveKit listed an agent that had not been there before it; None: never again."""
        before = {sid for at, sids in self.agents() if at <= died for sid in sids}
        return next((at - died for at, sids in self.agents() if at > died and sids - before), None)

    def starved_s(self, begin: float, end: float) -> float:
        """For how much of that time (Unix) something had to wait for a processor: who promises seconds promises those
        of a machine that has processors."""
        waited = [look.waited_s for look in self.looks if begin - 0.5 <= look.at <= end + 0.5]
        return waited[-1] - waited[0] if waited else 0.0

    def gap_s(self) -> float:
        """Seconds that are declared missing, all gaps together."""
        return sum(gap.end_ms - gap.start_ms for gap in self.stored.gaps) / 1000
