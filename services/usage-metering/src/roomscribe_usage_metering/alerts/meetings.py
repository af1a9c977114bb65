"""Looks at recent meetings that have changed: odd use, and what their sources of evidence say of each other."""

import logging
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.billing import AnomalyFound, AnomalyFoundData
from roomscribe_common.subjects import subject_of
from sqlalchemy import Connection, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import reading
from roomscribe_usage_metering.adapters.reading import Known
from roomscribe_usage_metering.adapters.schema import MEETING, RECONCILIATION, write_in_turn
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.adapters.writing import insert_into
from roomscribe_usage_metering.alerts.anomalies import Anomaly, Limits, anomalies
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import Ledger, derive
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.exports.usage import SOURCE
from roomscribe_usage_metering.reconciling import Pair, Seen, of_meeting

log = logging.getLogger(__name__)

_AWAY = (SQLAlchemyError, OSError, TimeoutError)
"""A database that is away is no meeting's fault."""
_RECENT_MS = 3 * 86_400_000
_AT_ONCE = 200
_REMEMBERED = 20_000


@dataclass(frozen=True, slots=True)
class _Changed:
    key: MeetingKey
    started_ms: int
    version: int
    closed: bool


class Meetings:
    """The meetings that began in the last three days. What was looked at already is remembered, up to a bound."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, limits: Limits) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._limits = limits
        self._seen: OrderedDict[MeetingKey, _Changed] = OrderedDict()

    async def look(self, now_ms: int) -> list[AnyEvent]:
        """The anomalies of those that changed. What their sources say is stored."""
        found: list[AnyEvent] = []
        for changed in await self._changed(now_ms):
            about = {"tenant": changed.key.tenant, "meeting": changed.key.meeting_id}
            with one_of_many(log, "meeting left out", passing=_AWAY, **about):
                found += await self._look(changed)
            self._remember(changed)
        return found

    async def _look(self, changed: _Changed) -> list[AnomalyFound]:
        async with self._engine.connect() as connection:
            known = await connection.run_sync(reading.read, changed.key)
        if known is None:
            return []
        ledger = derive(changed.key, known.evidence, known.neighbours)
        await self._reconcile(changed, known, ledger)
        return [await self._event(changed.key, one) for one in anomalies(ledger, self._limits)]

    async def _changed(self, now_ms: int) -> list[_Changed]:
        query = (
            select(MEETING)
            .where(MEETING.c.started_ms >= now_ms - _RECENT_MS)
            .order_by(MEETING.c.started_ms.desc())
            .limit(_REMEMBERED)
        )
        async with self._engine.connect() as connection:
            rows = [
                _Changed(
                    MeetingKey(row.tenant, row.meeting_id),
                    row.started_ms,
                    row.version,
                    row.closed_version == row.version,
                )
                for row in await connection.execute(query)
            ]
        return [one for one in rows if self._seen.get(one.key) != one][:_AT_ONCE]

    def _remember(self, changed: _Changed) -> None:
        self._seen[changed.key] = changed
        self._seen.move_to_end(changed.key)
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)

    async def _event(self, key: MeetingKey, one: Anomaly) -> AnomalyFound:
        data = AnomalyFoundData(
            period=await self._period(key.tenant, one.at_ms),
            meeting_id=key.meeting_id,
            kind=one.kind,
            detail=one.detail,
            at=instant(one.at_ms),
        )
        return AnomalyFound.new(
            id=f"anomaly:{key.tenant}:{key.meeting_id}:{one.kind}",
            source=SOURCE,
            subject=subject_of(AnomalyFound, key.tenant, key.meeting_id),
            tenant=key.tenant,
            data=data,
            time=data.at,
        )

    async def _period(self, tenant: str, at_ms: int) -> str:
        async with self._engine.connect() as connection:
            timeline = await connection.run_sync(self._tariffs.timeline, tenant)
        return timeline.holding(at_ms).name

    async def _reconcile(self, changed: _Changed, known: Known, ledger: Ledger) -> None:
        """Only of what is over: while it runs, one source is always ahead of the other."""
        if not changed.closed or ledger.open:
            return
        seen = of_meeting(known.evidence)
        if seen:
            period = await self._period(changed.key.tenant, changed.started_ms)
            async with self._engine.begin() as connection:
                await connection.run_sync(_keep, changed.key, period, seen)


def _keep(connection: Connection, key: MeetingKey, period: str, seen: Mapping[Pair, Seen]) -> None:
    write_in_turn(connection)
    for pair, one in seen.items():
        row = {"tenant": key.tenant, "subject": key.meeting_id, "pair": pair, "period": period}
        units = {"left_units": one.left, "right_units": one.right}
        statement = insert_into(connection, RECONCILIATION).values(**row, **units)
        connection.execute(statement.on_conflict_do_update(index_elements=list(RECONCILIATION.primary_key), set_=units))
