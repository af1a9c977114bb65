"""Where evidence is filed: what the store keeps beside it, so that a meeting's evidence is found again."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from roomscribe_usage_metering.domain.evidence import (
    AgentSeen,
    AudioDecoded,
    Claim,
    MeetingBegan,
    MeetingKey,
    MeetingOver,
    MeetingWanted,
    Record,
    TokensUsed,
)
from roomscribe_usage_metering.domain.ledger import claims_of


@dataclass(slots=True)
class Outline:
    """What a batch of evidence says about a meeting. `started_ms`, the earliest use, decides its month."""

    room: str = ""
    started_ms: int | None = None
    ended_ms: int | None = None


@dataclass(slots=True)
class Filing:
    """A batch of new evidence by meeting; the meetings' claims on rooms; and every room it says something about."""

    meetings: dict[MeetingKey, Outline] = field(default_factory=dict[MeetingKey, Outline])
    claims: list[Claim] = field(default_factory=list[Claim])
    rooms: set[str] = field(default_factory=set[str])


def file_under(records: Iterable[Record]) -> Filing:
    """The filing of new records."""
    filing = Filing()
    for record in records:
        if record.room_sid:
            filing.rooms.add(record.room_sid)
        if record.meeting is not None:
            _outline(filing.meetings.setdefault(record.meeting, Outline()), record)
            filing.claims += claims_of(record.meeting, [record.fact])
    return filing


def _outline(outline: Outline, record: Record) -> None:
    match record.fact:
        case MeetingWanted(room=room):
            outline.room = outline.room or room
        case MeetingBegan(room=room, joined_ms=at_ms) | AgentSeen(room=room, joined_ms=at_ms):
            outline.room, outline.started_ms = outline.room or room, _least(outline.started_ms, at_ms)
        case AudioDecoded(room=room, start_ms=at_ms):
            outline.room, outline.started_ms = outline.room or room, _least(outline.started_ms, at_ms)
        case MeetingOver(room=room, ended_ms=at_ms):
            outline.room, outline.ended_ms = outline.room or room, _least(outline.ended_ms, at_ms)
        case TokensUsed(at_ms=at_ms):
            outline.started_ms = _least(outline.started_ms, at_ms)
        case _:
            pass


def _least(have: int | None, new: int) -> int:
    return new if have is None else min(have, new)
