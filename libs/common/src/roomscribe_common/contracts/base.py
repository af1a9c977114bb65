"""What every message has: the CloudEvents 1.0 envelope, and the value types events share."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, Self, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from roomscribe_common.ids import Token

Name = Annotated[str, StringConstraints(max_length=512)]
"""A person's or room's name as LiveKit has it; free text, never part of a subject."""
Text = Annotated[str, StringConstraints(max_length=65_536)]
Ms = Annotated[int, Field(ge=0)]
"""Whole milliseconds; offsets count from the meeting's `started_at`."""
Confidence = Annotated[float, Field(ge=0, le=1)]
Metadata = dict[Annotated[str, StringConstraints(max_length=64)], Annotated[str, StringConstraints(max_length=1024)]]


class Data(BaseModel):
    """Base of every event's `data`. Readers ignore fields they do not know, so a newer producer is understood."""

    model_config = ConfigDict(extra="ignore", frozen=True)


DataT = TypeVar("DataT", bound=Data)


class Event(BaseModel, Generic[DataT]):
    """A CloudEvents 1.0 event in JSON, with the extension attribute `tenant`.

    `id` and `time` are the producer's: an event that says the same thing has the same id, whoever sends it again.
    `subject` is the NATS subject it was published on.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)
    TYPE: ClassVar[str]
    """`<domain>.v<major>.<event>`: the start of the subject and the value of `type`."""

    specversion: Literal["1.0"]
    id: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    source: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    type: str
    time: AwareDatetime
    subject: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    datacontenttype: Literal["application/json"] = "application/json"
    tenant: Token
    data: DataT

    @model_validator(mode="after")
    def _type_is_ours(self) -> Self:
        if self.type != self.TYPE:
            raise ValueError(f"type is {self.type!r}, expected {self.TYPE!r}")
        if self.subject.split(".")[:3] != self.TYPE.split("."):
            raise ValueError(f"subject {self.subject!r} does not belong to {self.TYPE!r}")
        return self

    @classmethod
    def new(cls, *, id: str, source: str, subject: str, tenant: str, data: DataT, time: datetime | None = None) -> Self:
        """The event as its producer makes it; `time` is now unless given."""
        return cls(
            specversion="1.0",
            id=id,
            source=source,
            type=cls.TYPE,
            time=time or datetime.now(UTC),
            subject=subject,
            tenant=tenant,
            data=data,
        )

    def to_bytes(self) -> bytes:
        """The event as it goes over the wire."""
        return self.model_dump_json(exclude_none=True).encode()


AnyEvent = Event[Any]
"""An event of any class, where the class does not matter."""


class Participant(Data):
    """Who somebody is in LiveKit. `identity` is constant over reconnects; `name` is what people see."""

    identity: Annotated[str, StringConstraints(min_length=1, max_length=512)]
    name: Name


TrackSource = Literal["microphone", "screen_share_audio", "unknown"]


class Track(Data):
    """One audio track: its LiveKit SID and where the sound comes from."""

    id: Token
    source: TrackSource


class Word(Data):
    """A word with its place in the meeting. `estimated` times are spread over the segment, not measured."""

    text: str
    start_ms: Ms
    end_ms: Ms
    timing: Literal["measured", "estimated"]


class SttModel(Data):
    """The engine that recognised the words."""

    provider: str
    model: str
