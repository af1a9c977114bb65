"""What is sent: entries of the ledger, and events about money."""

import json
from collections.abc import Sequence

from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.entries import Entries
from roomscribe_usage_metering.adapters.outbox import Outbox
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.domain.entry import Stored
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.exports.usage import Usage, usage_of
from roomscribe_usage_metering.exports.webhooks import Told


class LedgerFeed:
    """Entries in the order of booking, for all tenants."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._entries = Entries(engine)

    async def after(self, seq: int, limit: int) -> list[Usage]:
        """The entries behind a place, at most so many."""
        found = await self._entries.after(seq, limit)
        if not found:
            return []
        async with self._engine.connect() as connection:
            return await connection.run_sync(self._dated, found)

    def _dated(self, connection: Connection, found: Sequence[Stored]) -> list[Usage]:
        tenants = {one.entry.slot.tenant for one in found}
        timelines: dict[str, Timeline] = {one: self._tariffs.timeline(connection, one) for one in tenants}

        def bounds_ms(tenant: str, name: str) -> tuple[int, int]:
            period = timelines[tenant].named(name)
            return period.start_ms, period.end_ms

        return [usage_of(one, bounds_ms) for one in found]

    async def newest(self) -> int:
        """The place of the last entry."""
        return await self._entries.latest_seq()


class EventFeed:
    """Events of the outbox in the order they were stored in, whether or not the stream has them."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def after(self, seq: int, limit: int) -> list[Told]:
        """The events behind a place, at most so many."""
        return [
            Told(one.seq, one.kind, one.key, one.tenant, event["time"], event["data"], one.stored_ms)
            for one in await self._outbox.after(seq, limit)
            if (event := json.loads(one.payload))
        ]

    async def newest(self) -> int:
        """The place of the last event."""
        return await self._outbox.latest_seq()
