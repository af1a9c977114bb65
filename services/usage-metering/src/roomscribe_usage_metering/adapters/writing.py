"""Writing evidence: under its key once, and the outline of its meetings beside it."""

from collections.abc import Iterable, Sequence

from sqlalchemy import Case, ColumnElement, Connection, case, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from roomscribe_usage_metering.adapters.schema import CLAIM, EVIDENCE, MEETING, write_in_turn
from roomscribe_usage_metering.domain.evidence import Claim, MeetingKey, Record
from roomscribe_usage_metering.domain.filing import Outline, file_under

_ROWS_AT_ONCE = 500
"""Seven parameters each; SQLite and PostgreSQL take 32,766 a statement."""


def add(connection: Connection, records: Sequence[Record], now_ms: int, due_ms: int) -> int:
    """Stores what is new in the connection's transaction, and returns how many facts that were.

    Meetings the new facts may change get a new version, and are due to be looked at.
    """
    write_in_turn(connection)
    new = _insert_new(connection, records, now_ms)
    filing = file_under(new)
    for key in sorted(filing.meetings, key=lambda key: (key.tenant, key.meeting_id)):
        _upsert_meeting(connection, key, filing.meetings[key], due_ms)
    for claim in filing.claims:
        _upsert_claim(connection, claim)
    _touch_by_room(connection, filing.rooms, due_ms)
    return len(new)


def _insert(connection: Connection) -> type[sqlite.Insert] | type[postgresql.Insert]:
    return postgresql.Insert if connection.dialect.name == "postgresql" else sqlite.Insert


def _insert_new(connection: Connection, records: Sequence[Record], now_ms: int) -> list[Record]:
    by_key = {(r.tenant, r.source, r.id): r for r in records}
    new: list[Record] = []
    keys = sorted(by_key)
    for start in range(0, len(keys), _ROWS_AT_ONCE):
        values = [_values(by_key[key], now_ms) for key in keys[start : start + _ROWS_AT_ONCE]]
        statement = _insert(connection)(EVIDENCE).values(values).on_conflict_do_nothing()
        inserted = connection.execute(statement.returning(EVIDENCE.c.tenant, EVIDENCE.c.source, EVIDENCE.c.id))
        new += [by_key[tenant, source, id_] for tenant, source, id_ in inserted]
    return new


def _values(record: Record, now_ms: int) -> dict[str, str | int]:
    return {
        "tenant": record.tenant,
        "source": record.source,
        "id": record.id,
        "meeting_id": record.meeting.meeting_id if record.meeting else "",
        "room_sid": record.room_sid,
        "fact": record.fact.model_dump_json(exclude_none=True),
        "stored_ms": now_ms,
    }


def _upsert_meeting(connection: Connection, key: MeetingKey, seen: Outline, due_ms: int) -> None:
    statement = _insert(connection)(MEETING).values(
        tenant=key.tenant,
        meeting_id=key.meeting_id,
        room=seen.room,
        started_ms=seen.started_ms,
        ended_ms=seen.ended_ms,
        version=1,
        due_ms=due_ms,
    )
    new = statement.excluded
    update_ = {
        "room": case((MEETING.c.room == "", new.room), else_=MEETING.c.room),
        "started_ms": _least(MEETING.c.started_ms, new.started_ms),
        "ended_ms": _least(MEETING.c.ended_ms, new.ended_ms),
        "version": MEETING.c.version + 1,
        "due_ms": new.due_ms,
    }
    connection.execute(statement.on_conflict_do_update(index_elements=list(MEETING.primary_key), set_=update_))


def _upsert_claim(connection: Connection, claim: Claim) -> None:
    statement = _insert(connection)(CLAIM).values(
        room_sid=claim.room_sid,
        tenant=claim.meeting.tenant,
        meeting_id=claim.meeting.meeting_id,
        participant_sid=claim.participant_sid,
        joined_ms=claim.joined_ms,
    )
    earlier = {"joined_ms": _least(CLAIM.c.joined_ms, statement.excluded.joined_ms)}
    connection.execute(statement.on_conflict_do_update(index_elements=list(CLAIM.primary_key), set_=earlier))


def _least(have: ColumnElement[int], new: ColumnElement[int]) -> Case[int]:
    # LEAST and SQLite's MIN disagree about NULL.
    return case((have.is_(None), new), (new < have, new), else_=have)


def _touch_by_room(connection: Connection, rooms: Iterable[str], due_ms: int) -> None:
    claimants = select(CLAIM.c.tenant, CLAIM.c.meeting_id).where(CLAIM.c.room_sid.in_(sorted(rooms)))
    connection.execute(
        update(MEETING)
        .where(tuple_(MEETING.c.tenant, MEETING.c.meeting_id).in_(claimants))
        .values(version=MEETING.c.version + 1, due_ms=due_ms)
    )
