"""How far each receiver has been served. One replica at a time sends to one; what it began, another ends alike."""

from dataclasses import dataclass

from sqlalchemy import Connection, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.schema import CURSOR, write_in_turn
from roomscribe_usage_metering.adapters.writing import insert_into


@dataclass(frozen=True, slots=True)
class Position:
    """Delivered up to `seq`. `until_seq`: what is being sent reaches to it; `done`: the last answered request of it."""

    sink: str
    seq: int
    until_seq: int | None = None
    done: str | None = None


class Cursors:
    """The positions in one database. `holder` names this replica; what it holds is its own for `lease_ms`."""

    def __init__(self, engine: AsyncEngine, holder: str, lease_ms: int) -> None:
        self._engine = engine
        self._holder = holder
        self._lease_ms = lease_ms

    async def at(self, sink: str) -> Position | None:
        """Where the receiver is; None before it is started."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(select(CURSOR).where(CURSOR.c.sink == sink))).one_or_none()
        return None if row is None else Position(sink, row.seq, row.until_seq, row.done)

    async def start(self, sink: str, seq: int) -> None:
        """Gives a receiver its first place, unless another replica was faster."""

        def start(connection: Connection) -> None:
            write_in_turn(connection)
            statement = insert_into(connection, CURSOR).values(sink=sink, seq=seq, held_until_ms=0)
            connection.execute(statement.on_conflict_do_nothing())

        async with self._engine.begin() as connection:
            await connection.run_sync(start)

    async def begin(self, position: Position, until_seq: int, now_ms: int) -> bool:
        """Takes the receiver for this replica, and fixes what is sent next, so that a resend is of the same.

        False if another replica has it, or has moved it on.
        """

        def begin(connection: Connection) -> bool:
            write_in_turn(connection)
            row = connection.execute(select(CURSOR).where(CURSOR.c.sink == position.sink)).one()
            held = {"until_seq": until_seq, "holder": self._holder, "held_until_ms": now_ms + self._lease_ms}
            theirs = row.holder != self._holder and row.held_until_ms > now_ms
            if theirs or (row.seq, row.until_seq, row.done) != (position.seq, position.until_seq, position.done):
                return False
            connection.execute(update(CURSOR).where(CURSOR.c.sink == position.sink).values(**held))
            return True

        async with self._engine.begin() as connection:
            return await connection.run_sync(begin)

    async def answered(self, position: Position, place: str, now_ms: int) -> None:
        """Notes the last request that was answered."""
        await self._set(position, done=place, held_until_ms=now_ms + self._lease_ms)

    async def finish(self, position: Position, until_seq: int) -> None:
        """Moves behind what was sent, and lets go."""
        await self._set(position, seq=until_seq, until_seq=None, done=None, held_until_ms=0)

    async def _set(self, position: Position, **values: int | str | None) -> None:
        at = (CURSOR.c.sink == position.sink, CURSOR.c.seq == position.seq)
        async with self._engine.begin() as connection:
            await connection.run_sync(write_in_turn)
            await connection.execute(update(CURSOR).where(*at).values(**values))
