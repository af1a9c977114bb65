"""What the world is to be told, stored in one commit with what it is about, and published after it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from roomscribe_common.contracts.base import AnyEvent
from sqlalchemy import Connection, Delete, Select, Update, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.schema import OUTBOX, write_in_turn
from roomscribe_usage_metering.adapters.writing import insert_into


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event in the outbox: `key` is its id, `payload` its JSON."""

    seq: int
    kind: str
    key: str
    tenant: str
    subject: str
    payload: str
    stored_ms: int


_ROWS = select(
    *(OUTBOX.c[name] for name in ("seq", "kind", "key", "tenant", "subject", "payload", "stored_ms")),
)


def add(connection: Connection, event: AnyEvent, now_ms: int) -> bool:
    """Stores the event in the connection's transaction; False if one of its id was stored before."""
    row = {
        "kind": event.TYPE,
        "key": event.id,
        "tenant": event.tenant,
        "subject": event.subject,
        "payload": event.to_bytes().decode(),
        "stored_ms": now_ms,
    }
    statement = insert_into(connection, OUTBOX).values(row).on_conflict_do_nothing()
    return connection.execute(statement.returning(OUTBOX.c.seq)).first() is not None


class Outbox:
    """The events of one database that were, or are to be, published; in the order they were stored in."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def put(self, event: AnyEvent, now_ms: int) -> bool:
        """Stores an event that stands for itself; False if one of its id was stored before."""
        async with self._engine.begin() as connection:
            await connection.run_sync(write_in_turn)
            return await connection.run_sync(add, event, now_ms)

    async def known(self, keys: Sequence[str]) -> set[str]:
        """Those of the ids that were stored before."""
        async with self._engine.connect() as connection:
            rows = await connection.execute(select(OUTBOX.c.key).where(OUTBOX.c.key.in_(keys)))
            return {row.key for row in rows}

    async def unsent(self, limit: int) -> list[Waiting]:
        """What was not published yet, oldest first."""
        query = _ROWS.where(OUTBOX.c.sent_ms.is_(None), OUTBOX.c.refused.is_(None))
        return await self._read(query.order_by(OUTBOX.c.seq).limit(limit))

    async def after(self, seq: int, limit: int) -> list[Waiting]:
        """What was stored after the one of that number, published or not."""
        return await self._read(_ROWS.where(OUTBOX.c.seq > seq).order_by(OUTBOX.c.seq).limit(limit))

    async def latest_seq(self) -> int:
        """The number of the last event; 0 if there is none."""
        async with self._engine.connect() as connection:
            return await connection.scalar(select(func.max(OUTBOX.c.seq))) or 0

    async def _read(self, query: Select[*tuple[Any, ...]]) -> list[Waiting]:
        async with self._engine.connect() as connection:
            return [Waiting(*row) for row in await connection.execute(query)]

    async def sent(self, seqs: list[int], now_ms: int) -> None:
        """Keeps that these were published."""
        await self._write(update(OUTBOX).where(OUTBOX.c.seq.in_(seqs)).values(sent_ms=now_ms))

    async def refused(self, seq: int, reason: str) -> None:
        """Keeps that one will never be published, and why."""
        await self._write(update(OUTBOX).where(OUTBOX.c.seq == seq).values(refused=reason))

    async def forget(self, before_ms: int) -> None:
        """Drops what was published before a time."""
        await self._write(delete(OUTBOX).where(OUTBOX.c.sent_ms < before_ms))

    async def _write(self, statement: Update | Delete) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(statement)
