"""Bodies of requests and answers."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints
from roomscribe_common.contracts.commands import MeetingView
from roomscribe_common.contracts.meeting import MeetingSpec, MeetingState, Mode
from roomscribe_common.contracts.transcript import TranscriptFinalData, TranscriptGapData

from roomscribe_gateway.archive.reads import Attendee, MeetingRecord


def _one_line(text: str) -> str:
    if any(ord(c) < 32 or ord(c) == 127 for c in text):
        raise ValueError("must not hold control characters")
    return text


Line = AfterValidator(_one_line)
Format = Literal["json", "txt", "md", "vtt", "srt", "docx", "csv"]


class Given(BaseModel):
    """Base of request bodies: an unknown field is refused."""

    model_config = ConfigDict(extra="forbid")


class Attendance(Given):
    """A room to attend, and how."""

    room: Annotated[str, StringConstraints(min_length=1, max_length=256), Line]
    """The name of the LiveKit room."""
    title: Annotated[str, StringConstraints(max_length=512), Line] = ""
    mode: Mode = "listen"
    """`copilot` is refused: it cannot be done yet."""
    language: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}$")] = "en"
    """BCP 47; one that the speech recognition does not understand is refused."""
    keyterms: Annotated[
        list[Annotated[str, StringConstraints(min_length=1, max_length=128), Line]], Field(max_length=100)
    ] = []
    """Names and terms that are likely to be said."""
    metadata: Annotated[
        dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=1024)]],
        Field(max_length=50),
    ] = {}
    """Yours; handed back with the meeting."""


class NewMeeting(Attendance):
    """A room to attend, now or later."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"room": "planning", "title": "Sprint planning", "language": "en"}]},
    )

    join_at: AwareDatetime | None = None
    """When the agent is to be there (RFC 3339 with offset), at most 366 days ahead; now if absent."""

    def spec(self, meeting_id: str) -> MeetingSpec:
        """As the dispatcher is asked for it."""
        return MeetingSpec(meeting_id=meeting_id, **self.model_dump())


class NewToken(Given):
    """A person who is to join the room."""

    identity: Annotated[str, StringConstraints(min_length=1, max_length=256), Line]
    """Constant for the person; LiveKit lets each identity in once."""
    name: Annotated[str, StringConstraints(max_length=256), Line] = ""
    """What the others see, and what stands in the transcript."""


class RoomToken(BaseModel):
    """What a LiveKit client needs to join."""

    url: str
    token: str
    room: str
    identity: str
    expires_at: datetime


class Links(BaseModel):
    """Where to go on from a meeting."""

    self: str
    events: str
    transcript: str
    minutes: str
    usage: str
    end: str
    tokens: str
    page: str

    @classmethod
    def of(cls, meeting_id: str) -> "Links":
        """The links of one meeting, relative to the gateway."""
        base = f"/v1/meetings/{meeting_id}"
        parts = ("events", "transcript", "minutes", "usage", "end", "tokens")
        return cls.model_validate(
            {"self": base, "page": f"/meetings/{meeting_id}", **{part: f"{base}/{part}" for part in parts}}
        )


class Meeting(BaseModel):
    """A meeting. `reason` and `detail` say why it ended or failed; `started_at` is where `start_ms` counts from.

    `late_reason` says why no agent was there at `join_at`; `late_ms`, by how much the first one was late.
    """

    id: str
    room: str
    title: str
    mode: Mode
    state: MeetingState
    reason: str | None = None
    detail: str | None = None
    join_at: datetime | None = None
    requested_at: datetime | None = None
    started_at: datetime | None = None
    live_at: datetime | None = None
    ended_at: datetime | None = None
    late_ms: int | None = None
    late_reason: str | None = None
    series_id: str | None = None
    language: str
    keyterms: list[str]
    metadata: dict[str, str]
    transcript_complete: bool = False
    links: Links

    @classmethod
    def of(cls, record: MeetingRecord) -> "Meeting":
        """From the archive's record."""
        spec = record.spec
        return cls(
            id=spec.meeting_id,
            room=spec.room,
            title=spec.title,
            mode=spec.mode,
            join_at=to_ms(spec.join_at),
            language=spec.language,
            keyterms=spec.keyterms,
            metadata=spec.metadata,
            state=record.state,
            reason=record.reason,
            detail=record.detail,
            requested_at=to_ms(record.requested_at),
            started_at=to_ms(record.started_at),
            live_at=record.live_at,
            ended_at=record.ended_at,
            late_ms=record.late_ms,
            late_reason=record.late_reason,
            series_id=spec.series_id,
            transcript_complete=record.complete,
            links=Links.of(record.spec.meeting_id),
        )

    @classmethod
    def of_view(cls, view: MeetingView) -> "Meeting":
        """From the dispatcher's answer."""
        record = MeetingRecord(view.spec, view.state, view.requested_at, view.started_at)
        return cls.of(record)


class Person(BaseModel):
    """One presence of one person in the room."""

    identity: str
    name: str
    kind: str | None
    joined_at: datetime | None
    left_at: datetime | None

    @classmethod
    def of(cls, attendee: Attendee) -> "Person":
        """From the archive's record."""
        return cls(
            identity=attendee.identity,
            name=attendee.name,
            kind=attendee.kind,
            joined_at=attendee.joined_at,
            left_at=attendee.left_at,
        )


class MeetingDetail(Meeting):
    """A meeting with who was there and how much was said."""

    participants: list[Person]
    segments: int


class MeetingList(BaseModel):
    """One page; `next_cursor` is null on the last."""

    meetings: list[Meeting]
    next_cursor: str | None


class TranscriptDocument(BaseModel):
    """`format=json`: current revisions in order of `start_ms`."""

    meeting_id: str
    room: str
    title: str
    started_at: datetime | None
    state: MeetingState
    complete: bool
    segments: list[TranscriptFinalData]
    gaps: list[TranscriptGapData]


class Ending(BaseModel):
    """The meeting was told to end."""

    id: str
    state: MeetingState
    links: Links


def to_ms(moment: datetime | None) -> datetime | None:
    """As exact as the archive keeps it, so that an answer is the same before and after it got there."""
    return None if moment is None else moment.replace(microsecond=moment.microsecond // 1000 * 1000)
