"""Writing evidence: under its key once, and the outline of its meetings beside it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from sqlalchemy import Case, ColumnElement, Connection, Table, case, func, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from roomscribe_usage_metering.adapters.schema import CHAIN, CLAIM, EVIDENCE, MEETING, write_in_turn
from roomscribe_usage_metering.domain.chain import chain_of, link
from roomscribe_usage_metering.domain.evidence import EVIDENCE as FACT
from roomscribe_usage_metering.domain.evidence import Claim, MeetingKey, Record
from roomscribe_usage_metering.domain.filing import Outline, file_under

Row = dict[str, str | int]
"""Values by column."""

_NUL, _REPLACED = "\\u0000", "\\ufffd"
"""As they stand in JSON."""
_CLAIM = ("room_sid", "tenant", "meeting_id", "participant_sid", "joined_ms")
_KEY = (EVIDENCE.c.tenant, EVIDENCE.c.source, EVIDENCE.c.id)


def add(connection: Connection, records: Sequence[Record], now_ms: int, due_ms: int) -> int:
    """Stores what is new in the connection's transaction, and returns how many facts that were.

    Meetings the new facts may change get a new version, and are due to be looked at.
    """
    write_in_turn(connection)
    new = _insert_new(connection, [_storable(record) for record in records], now_ms)
    filing = file_under(new)
    _upsert_meetings(connection, filing.meetings, due_ms)
    _upsert_claims(connection, filing.claims)
    _touch_by_room(connection, filing.rooms, due_ms)
    return len(new)


def _storable(record: Record) -> Record:
    # PostgreSQL stores no NUL: one in somebody's name would keep everybody's evidence out.
    text = record.fact.model_dump_json(exclude_none=True)
    if _NUL not in text:
        return record
    return replace(record, fact=FACT.validate_json(text.replace(_NUL, _REPLACED)))


def insert_into(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that can give way to what is there already."""
    return postgresql.Insert(table) if connection.dialect.name == "postgresql" else sqlite.Insert(table)


def _insert_new(connection: Connection, records: Sequence[Record], now_ms: int) -> list[Record]:
    by_key = {(r.tenant, r.source, r.id): r for r in records}
    new = [by_key[key] for key in sorted(by_key)]
    while new:
        # Most are new. Where some are not, those before them have other links: once more, without them.
        with connection.begin_nested() as attempt:
            rows, heads = _linked(connection, new, now_ms)
            insert = insert_into(connection, EVIDENCE).on_conflict_do_nothing(index_elements=list(EVIDENCE.primary_key))
            statement = insert.returning(*_KEY)
            stored = {(tenant, source, id_) for tenant, source, id_ in connection.execute(statement, rows)}
            if len(stored) == len(new):
                _move(connection, heads)
                return new
            attempt.rollback()
        new = [record for record in new if (record.tenant, record.source, record.id) in stored]
    return []


def _linked(connection: Connection, new: Sequence[Record], now_ms: int) -> tuple[list[Row], list[Row]]:
    """The rows, each with its number and its link in its tenant's chain; and the chains' new heads."""
    chain, tenants = chain_of(now_ms), sorted({record.tenant for record in new})
    heads = select(CHAIN).where(CHAIN.c.chain == chain, CHAIN.c.tenant.in_(tenants))
    last = dict.fromkeys(tenants, (0, "")) | {row.tenant: (row.sequence, row.hash) for row in connection.execute(heads)}
    seq = connection.scalar(select(func.max(EVIDENCE.c.seq))) or 0
    rows: list[Row] = []
    for number, record in enumerate(new, seq + 1):
        row = _values(record, now_ms)
        sequence, before = last[record.tenant]
        filed = str(row["meeting_id"]), str(row["room_sid"])
        hash_ = link(before, (record.tenant, record.source, record.id), filed, str(row["fact"]), now_ms)
        last[record.tenant] = sequence + 1, hash_
        rows.append({**row, "seq": number, "chain": chain, "sequence": sequence + 1, "hash": hash_})
    moved = [{"tenant": one, "chain": chain, "sequence": last[one][0], "hash": last[one][1]} for one in tenants]
    return rows, moved


def _move(connection: Connection, heads: list[Row]) -> None:
    statement = insert_into(connection, CHAIN)
    moved = {"sequence": statement.excluded.sequence, "hash": statement.excluded.hash}
    connection.execute(statement.on_conflict_do_update(index_elements=list(CHAIN.primary_key), set_=moved), heads)


def _values(record: Record, now_ms: int) -> Row:
    return {
        "tenant": record.tenant,
        "source": record.source,
        "id": record.id,
        "meeting_id": record.meeting.meeting_id if record.meeting else "",
        "room_sid": record.room_sid,
        "fact": record.fact.model_dump_json(exclude_none=True),
        "stored_ms": now_ms,
    }


def _upsert_meetings(connection: Connection, meetings: Mapping[MeetingKey, Outline], due_ms: int) -> None:
    rows = [
        {
            "tenant": key.tenant,
            "meeting_id": key.meeting_id,
            "room": seen.room,
            "started_ms": seen.started_ms,
            "ended_ms": seen.ended_ms,
            "version": 1,
            "due_ms": due_ms,
        }
        for key, seen in sorted(meetings.items(), key=lambda one: (one[0].tenant, one[0].meeting_id))
    ]
    statement = insert_into(connection, MEETING)
    new = statement.excluded
    update_ = {
        "room": case((MEETING.c.room == "", new.room), else_=MEETING.c.room),
        "started_ms": _least(MEETING.c.started_ms, new.started_ms),
        "ended_ms": _least(MEETING.c.ended_ms, new.ended_ms),
        "version": MEETING.c.version + 1,
        "due_ms": new.due_ms,
    }
    if rows:
        statement = statement.on_conflict_do_update(index_elements=list(MEETING.primary_key), set_=update_)
        connection.execute(statement, rows)


def _upsert_claims(connection: Connection, claims: Iterable[Claim]) -> None:
    rows: dict[tuple[str, str, str, str], dict[str, str | int]] = {}
    for one in sorted(claims, key=lambda claim: -claim.joined_ms):  # the earliest of each is what stays
        key = one.room_sid, one.meeting.tenant, one.meeting.meeting_id, one.participant_sid
        rows[key] = dict(zip(_CLAIM, (*key, one.joined_ms), strict=True))
    statement = insert_into(connection, CLAIM)
    earlier = {"joined_ms": _least(CLAIM.c.joined_ms, statement.excluded.joined_ms)}
    if rows:
        statement = statement.on_conflict_do_update(index_elements=list(CLAIM.primary_key), set_=earlier)
        connection.execute(statement, [rows[key] for key in sorted(rows)])


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
