"""Why a line is what it is: down to entries, ticks and events."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from roomscribe_common.contracts.billing import InvoiceLine
from roomscribe_common.contracts.invoices import BookedEntry, EvidenceSeen, Explained, ExplainLine, Tick
from roomscribe_common.errors import FieldError, ProblemError
from sqlalchemy import Connection, Row, select
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering import wording
from roomscribe_usage_metering.adapters import bookings, closes, reading
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.entries import to_entry
from roomscribe_usage_metering.adapters.schema import ENTRY, EVIDENCE
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.concerning import concerning
from roomscribe_usage_metering.domain.entry import Entry, total_of
from roomscribe_usage_metering.domain.evidence import EVIDENCE as FACT
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import derive
from roomscribe_usage_metering.domain.lines import Line, instant
from roomscribe_usage_metering.domain.periods import Period
from roomscribe_usage_metering.domain.ticks import steps_between
from roomscribe_usage_metering.invoicing import Documents, Invoicing, number_of
from roomscribe_usage_metering.sharing import belongs

_PAGE = 100
_WALKED = 1_000
"""Ticks and events in one answer about an invoice's line: a message holds a megabyte. The meeting's line has all."""

Dated = tuple[Entry, int | None]
"""An entry, and when it was booked; None if it would be now."""


@dataclass(slots=True)
class _Walk:
    entries: list[BookedEntry] = field(default_factory=list[BookedEntry])
    ticks: list[Tick] = field(default_factory=list[Tick])
    events: list[EvidenceSeen] = field(default_factory=list[EvidenceSeen])


class Explaining:
    """Explains what one database holds."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, invoicing: Invoicing) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._invoicing = invoicing

    async def line(self, command: ExplainLine, now_ms: int) -> Explained:
        """One page of where a line comes from. Raises `ProblemError` for a line, period or meeting there is not."""
        explain = self._of_invoice if command.meeting_id is None else self._of_meeting
        async with snapshot(self._engine) as connection:
            return await connection.run_sync(explain, command, now_ms)

    def _of_invoice(self, connection: Connection, command: ExplainLine, now_ms: int) -> Explained:
        period = command.period or self._tariffs.timeline(connection, command.tenant).holding(now_ms).name
        documents = self._invoicing.read(connection, command.tenant, period, now_ms)
        documents, line = self._found(connection, documents, command, now_ms)
        entries = [
            one
            for one in self._paid(connection, documents, command.tenant)
            if line.kind not in ("base", "credit") and belongs(line, total_of(one[0]))
        ]
        first = _offset(command.after)
        walk = self._walk(connection, command.tenant, entries[first : first + _PAGE])
        return Explained(
            line_id=line.line_id,
            summary=wording.invoice_line(line, documents.invoice.currency, [entry for entry, _ in entries]),
            entries=walk.entries,
            ticks=walk.ticks,
            events=walk.events,
            next_cursor=_next(first, len(walk.entries), len(entries)),
        )

    def _found(
        self, connection: Connection, documents: Documents, command: ExplainLine, now_ms: int
    ) -> tuple[Documents, InvoiceLine]:
        """The line, and the documents it was issued with: those of a later period if a credit note has it."""
        period = documents.invoice.period
        for document in (documents.invoice, *documents.credit_notes):
            for line in document.lines:
                if line.line_id == command.line_id:
                    return documents, line
        for note in closes.credit_notes(connection, command.tenant, number_of(command.tenant, period)):
            for line in note.lines:
                if line.line_id == command.line_id:
                    return self._invoicing.read(connection, command.tenant, note.period, now_ms), line
        raise _none_such(command.line_id, f"the invoice of {period}")

    def _walk(self, connection: Connection, tenant: str, entries: Sequence[Dated]) -> _Walk:
        """Down from entries to ticks and events: as many entries as fit into a page, one at the least."""
        timeline, walk = self._tariffs.timeline(connection, tenant), _Walk()
        meetings: dict[MeetingKey, _Meeting] = {}
        for entry, booked_ms in entries:
            slot, told = entry.slot, wording.entry_told(entry, booked_ms)
            key = MeetingKey(tenant, slot.meeting_id)
            if key not in meetings:
                meetings[key] = _read(connection, key)
            told, ticks, events = meetings[key].under(told, timeline.named(slot.of_period))
            if walk.entries and len(walk.ticks) + len(walk.events) + len(ticks) + len(events) > _WALKED:
                break
            walk.entries.append(told)
            walk.ticks += ticks
            walk.events += events
        return walk

    def _paid(self, connection: Connection, documents: Documents, tenant: str) -> list[Dated]:
        period = documents.invoice.period
        paid = (ENTRY.c.tenant == tenant, ENTRY.c.period == period)
        rows = connection.execute(select(ENTRY).where(*paid).order_by(ENTRY.c.seq))
        found: list[Dated] = [(to_entry(row), row.booked_ms) for row in rows]
        if documents.invoice.number is None:
            timeline = self._tariffs.timeline(connection, tenant)
            pending = bookings.pending(connection, tenant, timeline)
            found += [(entry, None) for entry in pending if entry.period == period]
        return found

    def _of_meeting(self, connection: Connection, command: ExplainLine, now_ms: int) -> Explained:
        key = MeetingKey(command.tenant, command.meeting_id or "")
        meeting = _read(connection, key)
        line = meeting.lines.get(command.line_id)
        if line is None:
            raise _none_such(command.line_id, f"the ledger of a meeting {key.meeting_id}")
        events = meeting.events(line)
        own = (ENTRY.c.tenant == key.tenant, ENTRY.c.meeting_id == key.meeting_id, ENTRY.c.line_id == line.line_id)
        entries = connection.execute(select(ENTRY).where(*own).order_by(ENTRY.c.seq)).all()
        first = _offset(command.after)
        timeline = self._tariffs.timeline(connection, command.tenant)
        return Explained(
            line_id=line.line_id,
            summary=wording.meeting_line(line, len(events), len(entries)),
            entries=[wording.entry_told(to_entry(row), row.booked_ms) for row in entries[first : first + _PAGE]],
            ticks=wording.ticks_told(line, timeline, first, _PAGE),
            events=events[first : first + _PAGE],
            next_cursor=_next(first, _PAGE, max(line.steps, len(events), len(entries))),
        )


@dataclass(frozen=True, slots=True)
class _Meeting:
    """A meeting's lines by id, and the rows of its evidence."""

    lines: dict[str, Line]
    rows: Sequence[Row[*tuple[Any, ...]]]

    def events(self, line: Line) -> list[EvidenceSeen]:
        """What the line rests on."""
        return [event for row in self.rows if (event := _event(row, line)) is not None]

    def under(self, entry: BookedEntry, period: Period) -> tuple[BookedEntry, list[Tick], list[EvidenceSeen]]:
        """The entry, its ticks and its events: the first ones, and the entry says how many more there are."""
        line = self.lines.get(entry.line_id)
        if line is None:
            return entry, [], []
        ticks, events = wording.ticks_in(line, period, _WALKED), self.events(line)
        left_out = {
            "ticks_left_out": steps_between(line, period.start_ms, period.end_ms) - len(ticks),
            "events_left_out": max(0, len(events) - _WALKED),
        }
        of_entry = {"entry": entry.key}
        return (
            entry.model_copy(update=left_out),
            [tick.model_copy(update=of_entry) for tick in ticks],
            [event.model_copy(update=of_entry) for event in events[:_WALKED]],
        )


def _read(connection: Connection, key: MeetingKey) -> _Meeting:
    known = reading.read(connection, key)
    lines = derive(key, known.evidence, known.neighbours).lines if known else ()
    about = reading.of_meeting(key, reading.claimed_rooms(connection, key))
    rows = connection.execute(select(EVIDENCE).where(about).order_by(EVIDENCE.c.seq)).all()
    return _Meeting({line.line_id: line for line in reversed(lines)}, rows)


def _event(row: Row[*tuple[Any, ...]], line: Line) -> EvidenceSeen | None:
    fact = concerning(line, FACT.validate_json(row.fact))
    if fact is None:
        return None
    return EvidenceSeen(
        source=row.source,
        id=row.id,
        kind=fact.kind,
        fact=json.loads(fact.model_dump_json(exclude_none=True, exclude={"kind"})),
        stored_at=instant(row.stored_ms),
        chain=f"{row.tenant}/{row.chain}",
        sequence=row.sequence,
        hash=row.hash,
    )


def _offset(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 12:
        raise _bad("cursor", f"{cursor[:40]!r} is no cursor of such a page")
    return int(cursor)


def _next(first: int, told: int, count: int) -> str | None:
    return str(first + told) if first + told < count else None


def _bad(field: str, detail: str) -> ProblemError:
    return ProblemError.of("bad-line", 422, "Bad line", f"{field} {detail}", [FieldError(field=field, detail=detail)])


def _none_such(line_id: str, where: str) -> ProblemError:
    return ProblemError.of("no-such-line", 404, "No such line", f"no line {line_id[:100]} is in {where}")
