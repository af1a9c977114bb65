"""Closes periods that are over: books what they hold, and issues their invoices. A closed period never changes."""

import asyncio
import logging
import time
from dataclasses import dataclass

from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.billing import InvoiceData, InvoiceIssued
from roomscribe_common.errors import FieldError, ProblemError
from roomscribe_common.subjects import subject_of
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import bookings, closes, entries, outbox
from roomscribe_usage_metering.adapters.closes import Close
from roomscribe_usage_metering.adapters.schema import write_in_turn
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.booking import digest
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.domain.periods import Period, checked
from roomscribe_usage_metering.invoicing import Invoicing, Issue

log = logging.getLogger(__name__)

_AWAY = (SQLAlchemyError, OSError, TimeoutError)
"""A database that is away is no tenant's fault."""
_DEADLINE_S = 300.0
_AT_ONCE = 20
"""Meetings booked in one transaction, so that evidence never waits long for its turn."""
_LAST_AT_ONCE = 500
"""Meetings that may still be booked in the transaction that closes: those that changed while the others were."""


@dataclass(frozen=True, slots=True)
class PeriodTimes:
    """`look_every_s`: how often periods that are over are looked for. `grace_s`: see the setting."""

    look_every_s: float
    grace_s: float


class PeriodCloser:
    """Closes periods one after the other, each tenant's in the order of time. Replicas may do so at once."""

    def __init__(
        self, engine: AsyncEngine, tariffs: Tariffs, invoicing: Invoicing, source: str, times: PeriodTimes
    ) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._invoicing = invoicing
        self._source = source
        self._grace_ms = int(times.grace_s * 1000)
        self._look_every_s = times.look_every_s

    async def run(self) -> None:
        """Looks until cancelled; what fails is due again at the next look."""
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self.close_due(time.time_ns() // 1_000_000)
            except _AWAY as error:
                log.warning("periods not closed, trying again", extra={"error": type(error).__name__})
            await asyncio.sleep(self._look_every_s)

    async def close_due(self, now_ms: int) -> None:
        """Closes every period whose grace is over."""
        async with self._engine.connect() as connection:
            tenants = await connection.run_sync(closes.tenants)
        for tenant in tenants:
            # One tenant's books that cannot be rated keep nobody else's from being closed.
            with one_of_many(log, "period cannot be closed", passing=_AWAY, tenant=tenant):
                while (period := await self._next(tenant)) and now_ms >= period.end_ms + self._grace_ms:
                    if not await self._close(tenant, period, now_ms):
                        break

    async def close(self, tenant: str, name: str, now_ms: int) -> None:
        """Closes a period without its grace. Raises `ProblemError` (422) if it is not over, or not the next one."""
        period = await self._next(tenant)
        if period is None or period.name != checked(name):
            next_one = f"the next is {period.name}" if period else "nothing was used yet"
            raise _refused(f"period {name} cannot be closed: periods are closed one after the other, {next_one}")
        if now_ms < period.end_ms:
            raise _refused(f"period {name} is not over: it ends at {instant(period.end_ms).isoformat()}")
        if not await self._close(tenant, period, now_ms):
            raise _refused(f"period {name} is being closed, or too much changes in it: try again")

    async def _next(self, tenant: str) -> Period | None:
        async with self._engine.connect() as connection:
            return await connection.run_sync(self._first_open, tenant)

    def _first_open(self, connection: Connection, tenant: str) -> Period | None:
        return closes.first_open(connection, tenant, self._tariffs.timeline(connection, tenant))

    async def _close(self, tenant: str, period: Period, now_ms: int) -> bool:
        after = ""
        while booked := await self._book(tenant, period.name, after, now_ms):
            after = booked[-1].meeting_id
        async with self._engine.begin() as connection:
            return await connection.run_sync(self._close_now, tenant, period, now_ms)

    async def _book(self, tenant: str, through: str, after: str, now_ms: int) -> list[MeetingKey]:
        async with self._engine.begin() as connection:
            await connection.run_sync(write_in_turn)
            keys = await connection.run_sync(bookings.unbooked, tenant, through, after, _AT_ONCE)
            await connection.run_sync(bookings.book_read, keys, self._tariffs, through, now_ms)
            return keys

    def _close_now(self, connection: Connection, tenant: str, period: Period, now_ms: int) -> bool:
        write_in_turn(connection)
        changed = bookings.unbooked(connection, tenant, period.name, limit=_LAST_AT_ONCE + 1)
        if len(changed) > _LAST_AT_ONCE:
            return False
        bookings.book_read(connection, changed, self._tariffs, period.name, now_ms)
        timeline = self._tariffs.timeline(connection, tenant)
        # Another replica may have closed it; and the first period is known for sure only once everything is booked.
        if self._first_open(connection, tenant) != period:
            return True
        sums = entries.sums_of_period(connection, tenant, period.name)
        terms = self._tariffs.terms(connection, tenant, period, timeline)
        mark = closes.watermark(connection)
        close = Close(tenant, period, terms, mark, len(sums), digest(sums))
        issue = Issue(instant(now_ms), close.digest, mark)
        documents = self._invoicing.documents(connection, tenant, period, now_ms, issue)
        self._tariffs.keep(connection, tenant, (source for _, source in terms.prices))
        closes.keep(connection, close, now_ms)
        for document in (documents.invoice, *documents.credit_notes):
            closes.issue(connection, tenant, document, now_ms)
            outbox.add(connection, self._event(tenant, document), now_ms)
        return True

    def _event(self, tenant: str, document: InvoiceData) -> InvoiceIssued:
        return InvoiceIssued.new(
            id=f"invoice:{document.number}",
            source=self._source,
            subject=subject_of(InvoiceIssued, tenant, document.period),
            tenant=tenant,
            data=document,
            time=document.issued_at,
        )


def _refused(detail: str) -> ProblemError:
    error = FieldError(field="period", detail=detail)
    return ProblemError.of("period-not-closable", 422, "Period cannot be closed", detail, [error])
