"""Empties the archive and fills it again from the streams. The gateway may run meanwhile."""

import logging

from nats.aio.client import Client
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent
from roomscribe_common.reader import Reader
from roomscribe_common.registry import MESSAGES
from roomscribe_common.stored import stored
from roomscribe_common.streams import CONSUMER
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_gateway.archive import database
from roomscribe_gateway.archive.feed import CONSUMERS
from roomscribe_gateway.archive.rows import Row, rows_of

log = logging.getLogger(__name__)

_BATCH = 500


async def rebuild(nc: Client, engine: AsyncEngine) -> dict[str, int]:
    """Returns how many events of each stream were applied. Raises `Retryable` if a server does not answer."""
    async with database.passing():
        await database.recreate(engine)
    return {CONSUMER[name].stream: await _replay(nc, engine, name) for name in CONSUMERS}


async def _replay(nc: Client, engine: AsyncEngine, consumer: str) -> int:
    spec = CONSUMER[consumer]
    reader: Reader[AnyEvent] = Reader(*(m.event for m in MESSAGES if m.stream == spec.stream))
    applied, rows = 0, list[Row]()
    async for message in stored(nc, spec.stream, spec.filters[0]):
        rows += _rows(reader, message.subject, message.data)
        applied += 1
        if len(rows) >= _BATCH:
            await database.write(engine, rows)
            rows = []
    if rows:
        await database.write(engine, rows)
    log.info("stream replayed", extra={"stream": spec.stream, "events": applied})
    return applied


def _rows(reader: Reader[AnyEvent], subject: str, payload: bytes) -> list[Row]:
    try:
        return rows_of(reader.read(subject, payload))
    except Permanent:
        # It was dead-lettered when it first came.
        return []
