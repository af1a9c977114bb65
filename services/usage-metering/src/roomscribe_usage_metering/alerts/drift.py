"""Looks at what two sources say of the same use over a period, and at the counters of LiveKit's nodes."""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from fractions import Fraction
from typing import cast

from opentelemetry.metrics import CallbackOptions, Meter, Observation
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.billing import DriftFound, DriftFoundData
from roomscribe_common.subjects import UNKNOWN, subject_of
from sqlalchemy import ColumnElement, Connection, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.schema import ENTRY, RECONCILIATION, write_in_turn
from roomscribe_usage_metering.adapters.writing import insert_into
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.domain.periods import UTC_MONTHS, Period
from roomscribe_usage_metering.exports.usage import SOURCE
from roomscribe_usage_metering.pricing.exact import text
from roomscribe_usage_metering.reconciling import UNITS, Pair, Seen, counted_since, drifts

log = logging.getLogger(__name__)

_NODE: Pair = "ledger_node"
_RECENT_MS = 40 * 86_400_000
ReadNode = Callable[[], Awaitable[int]]
"""The bytes a node has sent since it started. Raises `NodeUnavailable`."""


class NodeUnavailable(Exception):
    """A node's counters could not be read; the next look says as much."""


class DriftLook:
    """The sums of periods that have not long been over. `nodes` by a short name, which is stored.

    A node is compared for a whole month (UTC) that it was watched in from before its beginning, `grace_s` after its
    end: then what it sent is in the ledger. Nodes that are not watched make the ledger look too large.
    """

    def __init__(self, engine: AsyncEngine, nodes: Mapping[str, ReadNode], grace_s: float, meter: Meter) -> None:
        self._engine = engine
        self._nodes = nodes
        self._grace_ms = int(grace_s * 1_000)
        self._worst: dict[Pair, Fraction] = {}
        meter.create_observable_gauge(
            "roomscribe_usage_drift_percent",
            [self._observe],
            description="How far two sources of the same use disagree, for the tenant where it is most",
        )

    def _observe(self, _: CallbackOptions) -> Iterable[Observation]:
        return [Observation(float(percent), {"pair": pair}) for pair, percent in self._worst.items()]

    async def look(self, now_ms: int) -> list[AnyEvent]:
        """Every drift above the limit."""
        await self._read_nodes(now_ms)
        async with self._engine.connect() as connection:
            sums = await connection.run_sync(_sums, UTC_MONTHS.holding(now_ms - _RECENT_MS).name)
            node = await connection.run_sync(self._node_month, now_ms)
        if node is not None:
            sums[UNKNOWN, node[0], _NODE] = node[1]
        self._worst = {}
        for (_, _, pair), seen in sums.items():
            self._worst[pair] = max(self._worst.get(pair, Fraction(0)), seen.drift_percent)
        return [_event(*key, seen, now_ms) for key, seen in sums.items() if drifts(key[2], seen)]

    async def _read_nodes(self, now_ms: int) -> None:
        month = UTC_MONTHS.holding(now_ms).name
        for name, read in self._nodes.items():
            try:
                counter = await read()
            except NodeUnavailable as error:
                log.warning("a node's counters could not be read", extra={"node": name, "error": str(error)})
                continue
            async with self._engine.begin() as connection:
                await connection.run_sync(_count, name, month, counter)

    def _node_month(self, connection: Connection, now_ms: int) -> tuple[str, Seen] | None:
        """The last month that is over, if every node was watched from before it on; what the ledger has, and they."""
        month = _before(UTC_MONTHS.holding(now_ms - self._grace_ms))
        rows = select(RECONCILIATION.c.subject, RECONCILIATION.c.right_units).where(
            RECONCILIATION.c.tenant == UNKNOWN, RECONCILIATION.c.pair == _NODE
        )
        sent = {row.subject: row.right_units for row in connection.execute(rows.where(_of(month.name)))}
        before = {row.subject for row in connection.execute(rows.where(_of(_before(month).name)))}
        if not sent or not before.issuperset(sent):
            return None
        ledger = select(func.sum(ENTRY.c.quantity)).where(
            ENTRY.c.meter == "downstream_gb", ENTRY.c.of_period == month.name
        )
        return month.name, Seen(int(connection.scalar(ledger) or 0), sum(sent.values()))


def _of(month: str) -> ColumnElement[bool]:
    return RECONCILIATION.c.period == month


def _before(month: Period) -> Period:
    return UTC_MONTHS.holding(month.start_ms - 1)


def _count(connection: Connection, node: str, month: str, counter: int) -> None:
    write_in_turn(connection)
    c = RECONCILIATION.c
    own = (c.tenant == UNKNOWN, c.subject == node, c.pair == _NODE)
    last = connection.execute(select(c.period, c.counter).where(*own).order_by(c.period.desc()).limit(1)).one_or_none()
    grown = counted_since(last.counter if last else None, counter)
    if last is not None and last.period == month:
        now = {"right_units": c.right_units + grown, "counter": counter}
        connection.execute(update(RECONCILIATION).where(*own, c.period == month).values(**now))
        return
    key = {"tenant": UNKNOWN, "subject": node, "pair": _NODE, "period": month}
    row = {**key, "left_units": 0, "right_units": grown, "counter": counter}
    connection.execute(insert_into(connection, RECONCILIATION).values(**row))


def _sums(connection: Connection, since: str) -> dict[tuple[str, str, Pair], Seen]:
    c = RECONCILIATION.c
    query = (
        select(c.tenant, c.period, c.pair, func.sum(c.left_units).label("left"), func.sum(c.right_units).label("right"))
        .where(c.tenant != UNKNOWN, c.period >= since)
        .group_by(c.tenant, c.period, c.pair)
    )
    return {
        (row.tenant, row.period, cast(Pair, row.pair)): Seen(int(row.left), int(row.right))
        for row in connection.execute(query)
    }


def _event(tenant: str, period: str, pair: Pair, seen: Seen, now_ms: int) -> DriftFound:
    data = DriftFoundData(
        period=period,
        pair=pair,
        left=str(seen.left),
        right=str(seen.right),
        unit=UNITS[pair],
        drift_percent=text(seen.drift_percent, 3),
        at=instant(now_ms),
    )
    return DriftFound.new(
        id=f"drift:{tenant}:{period}:{pair}",
        source=SOURCE,
        subject=subject_of(DriftFound, tenant, period),
        tenant=tenant,
        data=data,
        time=data.at,
    )
