"""The one list of messages: subject, class, stream, producer, consumers. Schemas, docs and permissions come from it."""

from dataclasses import dataclass
from typing import Literal

from roomscribe_common.contracts.agent import AgentHeartbeat, AgentJoined, AgentLeft
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.billing import AnomalyFound, BudgetReached, DriftFound, InvoiceIssued, QuotaReached
from roomscribe_common.contracts.dead import DeadLetter
from roomscribe_common.contracts.dispatch import DispatchJob
from roomscribe_common.contracts.insight import Minutes
from roomscribe_common.contracts.livekit import LivekitEvent
from roomscribe_common.contracts.meeting import (
    MeetingDelayed,
    MeetingEnded,
    MeetingFailed,
    MeetingRequested,
    MeetingStarted,
    ParticipantJoined,
    ParticipantLeft,
    ParticipantMuted,
    ParticipantRenamed,
)
from roomscribe_common.contracts.series import SeriesEnded, SeriesRequested
from roomscribe_common.contracts.stt import SttEndpoint, SttFinal, SttGap, SttInterim, UtteranceOpened
from roomscribe_common.contracts.transcript import (
    TranscriptCompleted,
    TranscriptFinal,
    TranscriptGap,
    TranscriptInterim,
    TranscriptRevised,
)
from roomscribe_common.contracts.usage import LlmUsage, MeetingUsage
from roomscribe_common.subjects import AUDIO_BEGUN, AUDIO_CHUNK, COMMANDS

Service = Literal[
    "dispatcher", "media-ingest", "stt-worker", "attribution", "summarizer", "usage-metering", "gateway", "any"
]
Depth = Literal["meeting", "utterance"]


@dataclass(frozen=True, slots=True)
class Message:
    """One kind of message on the bus.

    `depth`: whether the subject ends with the meeting or goes on with track and utterance. `stream` is None for
    messages on core NATS, which may be lost. `public`: other systems may build on it.
    """

    event: type[AnyEvent]
    stream: str | None
    producers: tuple[Service, ...]
    consumers: tuple[Service, ...]
    depth: Depth = "meeting"
    public: bool = True

    @property
    def type(self) -> str:
        """`<domain>.v<major>.<event>`."""
        return self.event.TYPE

    @property
    def subject(self) -> str:
        """The subject with its placeholders: what telemetry shows instead of ids."""
        tail = "<tenant>.<meeting>" if self.depth == "meeting" else "<tenant>.<meeting>.<track>.<utterance>"
        return f"{self.type}.{tail}"


MESSAGES: tuple[Message, ...] = (
    Message(DispatchJob, "DISPATCH", ("dispatcher",), ("media-ingest",), public=False),
    Message(MeetingRequested, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway", "summarizer", "usage-metering")),
    Message(MeetingDelayed, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway")),
    Message(MeetingStarted, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway", "usage-metering")),
    Message(MeetingEnded, "MEETINGS", ("dispatcher",), ("attribution", "dispatcher", "gateway", "usage-metering")),
    Message(MeetingFailed, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway")),
    Message(SeriesRequested, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway")),
    Message(SeriesEnded, "MEETINGS", ("dispatcher",), ("dispatcher", "gateway")),
    Message(ParticipantJoined, "MEETINGS", ("media-ingest",), ("gateway", "summarizer")),
    Message(ParticipantLeft, "MEETINGS", ("media-ingest",), ("gateway",)),
    Message(ParticipantRenamed, "MEETINGS", ("media-ingest",), ("gateway", "summarizer")),
    Message(ParticipantMuted, "MEETINGS", ("media-ingest",), ("gateway",)),
    Message(AgentJoined, "MEETINGS", ("media-ingest",), ("dispatcher", "usage-metering")),
    Message(AgentHeartbeat, "MEETINGS", ("media-ingest",), ("usage-metering",)),
    Message(AgentLeft, "MEETINGS", ("media-ingest",), ("dispatcher", "usage-metering")),
    Message(UtteranceOpened, "STT", ("media-ingest",), ("stt-worker",), "utterance", public=False),
    Message(SttEndpoint, None, ("stt-worker",), ("media-ingest",), "utterance", public=False),
    Message(SttInterim, None, ("stt-worker",), ("attribution",), "utterance", public=False),
    Message(SttFinal, "STT_RESULTS", ("stt-worker",), ("attribution", "usage-metering"), "utterance", public=False),
    Message(SttGap, "STT_RESULTS", ("media-ingest", "stt-worker"), ("attribution",), "utterance", public=False),
    Message(TranscriptInterim, None, ("attribution",), ("media-ingest", "gateway")),
    Message(TranscriptFinal, "TRANSCRIPTS", ("attribution",), ("attribution", "media-ingest", "gateway", "summarizer")),
    Message(TranscriptRevised, "TRANSCRIPTS", ("attribution",), ("gateway", "summarizer")),
    Message(TranscriptGap, "TRANSCRIPTS", ("attribution",), ("gateway",)),
    Message(TranscriptCompleted, "TRANSCRIPTS", ("attribution",), ("gateway", "summarizer")),
    Message(Minutes, "INSIGHTS", ("summarizer",), ("gateway", "summarizer")),
    Message(LlmUsage, "USAGE", ("summarizer",), ("usage-metering",)),
    Message(MeetingUsage, "USAGE", ("usage-metering",), ("gateway",)),
    Message(InvoiceIssued, "BILLING", ("usage-metering",), ()),
    Message(BudgetReached, "BILLING", ("usage-metering",), ()),
    Message(QuotaReached, "BILLING", ("usage-metering",), ()),
    Message(AnomalyFound, "BILLING", ("usage-metering",), ()),
    Message(DriftFound, "BILLING", ("usage-metering",), ()),
    Message(LivekitEvent, "LIVEKIT", ("gateway",), ("dispatcher", "usage-metering"), public=False),
    Message(DeadLetter, "DEAD_LETTERS", ("any",), ()),
)

BY_TYPE: dict[str, Message] = {message.type: message for message in MESSAGES}


def stream_of(event: type[AnyEvent]) -> str:
    """The stream that holds the events of a class. Raises `ValueError` for one that no stream holds."""
    stream = BY_TYPE[event.TYPE].stream
    if stream is None:
        raise ValueError(f"{event.TYPE} is on core NATS: no stream holds it")
    return stream


def template(subject: str) -> str:
    """The subject's kind with placeholders for its ids, safe as a span name or a label.

    `unknown` if it is none of ours: whoever may publish could otherwise make as many labels as it likes.
    """
    kind = ".".join(subject.split(".")[:3])
    if kind in BY_TYPE:
        return BY_TYPE[kind].subject
    if kind in (AUDIO_CHUNK, AUDIO_BEGUN):
        return kind
    command = ".".join(subject.split(".")[:4])
    return command if command in COMMANDS else "unknown"
