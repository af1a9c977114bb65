"""Reading back what is known of a meeting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roomscribe_common.subjects import UNKNOWN
from sqlalchemy import ColumnElement, Connection, Row, and_, or_, select

from roomscribe_usage_metering.adapters.schema import CLAIM, EVIDENCE, MEETING
from roomscribe_usage_metering.domain.evidence import EVIDENCE as FACT
from roomscribe_usage_metering.domain.evidence import Claim, Evidence, MeetingKey


@dataclass(frozen=True, slots=True)
class Meeting:
    """A meeting's row. `closed_usage` is the ledger as last published, in JSON, made from `closed_version`."""

    key: MeetingKey
    version: int
    closed_version: int | None
    closed_digest: str | None
    closed_usage: str | None


@dataclass(frozen=True, slots=True)
class Known:
    """All that is known of a meeting: what `derive` takes, and the row it was read with."""

    meeting: Meeting
    evidence: list[Evidence]
    neighbours: list[Claim]


MEETING_COLUMNS = select(
    MEETING.c.tenant,
    MEETING.c.meeting_id,
    MEETING.c.version,
    MEETING.c.closed_version,
    MEETING.c.closed_digest,
    MEETING.c.closed_usage,
)


def to_meeting(row: Row[*tuple[Any, ...]]) -> Meeting:
    """A row of `MEETING_COLUMNS`."""
    return Meeting(
        MeetingKey(row.tenant, row.meeting_id),
        row.version,
        row.closed_version,
        row.closed_digest,
        row.closed_usage,
    )


def read(connection: Connection, key: MeetingKey) -> Known | None:
    """What is known of a meeting, None if nothing is.

    The version is read first, so it is never newer than the evidence: whoever stores a result under it is refused if
    a fact came in between.
    """
    own = and_(MEETING.c.tenant == key.tenant, MEETING.c.meeting_id == key.meeting_id)
    row = connection.execute(MEETING_COLUMNS.where(own)).one_or_none()
    if row is None:
        return None
    rooms = claimed_rooms(connection, key)
    facts = connection.execute(select(EVIDENCE.c.fact).where(of_meeting(key, rooms))).scalars()
    evidence = [FACT.validate_json(fact) for fact in facts]
    return Known(to_meeting(row), evidence, _neighbours(connection, key, rooms))


def claimed_rooms(connection: Connection, key: MeetingKey) -> list[str]:
    """The SIDs of the rooms the meeting was in."""
    claimed = and_(CLAIM.c.tenant == key.tenant, CLAIM.c.meeting_id == key.meeting_id)
    return list(connection.execute(select(CLAIM.c.room_sid).where(claimed).distinct()).scalars())


def of_meeting(key: MeetingKey, rooms: Sequence[str]) -> ColumnElement[bool]:
    """Which rows of the evidence are about the meeting, or about its rooms."""
    return or_(
        and_(EVIDENCE.c.tenant == key.tenant, EVIDENCE.c.meeting_id == key.meeting_id),
        # Facts of the SFU have no tenant and no meeting; other meetings' facts stay theirs.
        and_(EVIDENCE.c.room_sid.in_(rooms), EVIDENCE.c.tenant == UNKNOWN, EVIDENCE.c.meeting_id == ""),
    )


def _neighbours(connection: Connection, key: MeetingKey, rooms: list[str]) -> list[Claim]:
    rows = connection.execute(select(CLAIM).where(CLAIM.c.room_sid.in_(rooms)))
    claims = [
        Claim(row.room_sid, MeetingKey(row.tenant, row.meeting_id), row.participant_sid, row.joined_ms) for row in rows
    ]
    return [claim for claim in claims if claim.meeting != key]
