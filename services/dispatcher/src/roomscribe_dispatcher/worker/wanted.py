"""What a dispatch's metadata, or a rule, asks for. Pure: a text in, a command out."""

import hashlib
from fnmatch import fnmatchcase
from typing import Annotated, Final, Self

from livekit.protocol import models as pb
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from roomscribe_common.contracts.commands import StartMeeting
from roomscribe_common.contracts.meeting import MeetingSpec, Mode
from roomscribe_common.ids import Token

_HOST: Final = "host"
_ERROR_CHARS: Final = 500


class BadMetadata(Exception):
    """Metadata that cannot be used; `str()` says which field and why, and repeats none of its values."""


class Wanted(BaseModel):
    """How to attend; every field as in `MeetingSpec`, whose limits are the ones that count."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: Token | None = None
    title: str = ""
    mode: Mode = "listen"
    host: str = ""
    """Who holds the meeting; kept in the meeting's metadata under this name."""
    language: str = "en"
    keyterms: list[str] = []
    metadata: dict[str, str] = {}
    empty_room_timeout_s: Annotated[float, Field(gt=0, le=86_400)] | None = None

    def command(self, room: str, meeting_id: str, tenant: str) -> StartMeeting:
        """`tenant` is used where none is named. Raises `BadMetadata`."""
        try:
            spec = MeetingSpec(
                meeting_id=meeting_id,
                room=room,
                title=self.title,
                mode=self.mode,
                language=self.language,
                keyterms=self.keyterms,
                metadata={_HOST: self.host} | self.metadata if self.host else self.metadata,
            )
        except ValidationError as error:
            raise _bad(error) from None
        return StartMeeting(tenant=self.tenant or tenant, spec=spec, empty_room_timeout_s=self.empty_room_timeout_s)


class DispatchMetadata(Wanted):
    """The JSON object in a dispatch's `metadata`; empty metadata is an empty object."""

    meeting_id: Token | None = None


class AutoRule(Wanted):
    """Rooms that are attended without being asked for: those whose name matches the glob `room`."""

    room: Annotated[str, StringConstraints(min_length=1, max_length=256)]

    @model_validator(mode="after")
    def _can_be_started(self) -> Self:
        try:
            self.command("room", "meeting", "tenant")
        except BadMetadata as error:
            raise ValueError(str(error)) from None
        return self

    def matches(self, room: str) -> bool:
        """Whether the rule is meant for this room; case counts."""
        return fnmatchcase(room, self.room)


def of_dispatch(metadata: str, room: pb.Room, dispatch_id: str, tenant: str) -> StartMeeting:
    """The meeting a dispatch asks for, the same whenever and wherever it is read. Raises `BadMetadata`."""
    try:
        wanted = DispatchMetadata.model_validate_json(metadata if metadata.strip() else "{}")
    except ValidationError as error:
        raise _bad(error) from None
    return wanted.command(room.name, wanted.meeting_id or meeting_id(room, dispatch_id), tenant)


def of_rules(rules: list[AutoRule], room: pb.Room, tenant: str) -> StartMeeting | None:
    """The meeting the first rule for this room asks for; None if there is no such rule."""
    for rule in rules:
        if rule.matches(room.name):
            return rule.command(room.name, meeting_id(room, room.sid), tenant)
    return None


def meeting_id(room: pb.Room, origin: str) -> str:
    """The id of the one meeting that `origin`, a dispatch or a room's session, leads to; sorts as other ids do."""
    created_ms = room.creation_time_ms or room.creation_time * 1000
    return f"mtg_{created_ms:011x}{hashlib.sha256(origin.encode()).hexdigest()[:13]}"


def _bad(error: ValidationError) -> BadMetadata:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    said = "; ".join(f"{'.'.join(str(part) for part in one['loc']) or 'metadata'}: {one['msg']}" for one in found)
    return BadMetadata(said[:_ERROR_CHARS])
