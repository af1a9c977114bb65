"""Fills the archive from the durable consumers: a batch, a commit, then the acks."""

import asyncio
import logging
import time
from collections.abc import Sequence

import nats.errors
from nats.aio.msg import Msg
from roomscribe_common import deadletter
from roomscribe_common.bus import Bus
from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.reader import Reader
from roomscribe_common.registry import MESSAGES
from roomscribe_common.streams import CONSUMER
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_gateway.adapters.pull import Lost, Pull
from roomscribe_gateway.archive import database
from roomscribe_gateway.archive.rows import Row, rows_of

log = logging.getLogger(__name__)

CONSUMERS = ("gateway-meetings", "gateway-transcripts", "gateway-insights", "gateway-usage")
_BATCH = 200
_AGAIN_S = 0.5
_LONGEST_S = 5.0
_STALE_S = 10.0


class Feed:
    """One durable consumer's way into the database. Its place is the consumer's: a restart goes on where it was."""

    def __init__(self, bus: Bus, engine: AsyncEngine, consumer: str, stopping: asyncio.Event) -> None:
        self._bus = bus
        self._stopping = stopping
        self._engine = engine
        self._spec = CONSUMER[consumer]
        # Everything the stream may hold is read, so that only what is malformed counts as such.
        self._reader: Reader[AnyEvent] = Reader(*(m.event for m in MESSAGES if m.stream == self._spec.stream))
        self._answered_at = time.monotonic()

    async def run(self) -> None:
        """Until cancelled, or `stopping`: nats-py may swallow a cancellation."""
        while not self._stopping.is_set():
            try:
                await self._follow()
            except (Lost, nats.errors.Error) as error:
                extra = {"consumer": self._spec.name, "reason": str(error)}
                log.warning("archive feed starts again", extra=extra)
            await asyncio.sleep(_AGAIN_S)

    async def ping(self) -> None:
        """Raises if the consumer has not answered of late."""
        if (age_s := time.monotonic() - self._answered_at) > _STALE_S:
            raise ConnectionError(f"{self._spec.name}: no answer for {age_s:.0f} s")

    async def _follow(self) -> None:
        pull = await Pull.open(self._bus.nc, self._spec.stream, self._spec.name, _BATCH)
        try:
            while not self._stopping.is_set():
                messages = await pull.next()
                self._answered_at = time.monotonic()
                if messages:
                    await self._archive(messages)
        finally:
            await pull.close()

    async def _archive(self, messages: Sequence[Msg]) -> None:
        read: list[tuple[Msg, list[Row]]] = []
        for message in messages:
            try:
                read.append((message, rows_of(self._reader.read(message.subject, message.data))))
            except Permanent as error:
                await self._bury(message, error.reason)
        try:
            await self._store(read)
        except (SQLAlchemyError, ValueError, OverflowError):
            # One message of the batch is refused by the database: find it, and let the others in.
            for one in read:
                await self._store_one(*one)

    async def _store_one(self, message: Msg, rows: list[Row]) -> None:
        try:
            await self._store([(message, rows)])
        except (SQLAlchemyError, ValueError, OverflowError) as error:
            await self._bury(message, f"refused by the database: {type(error).__name__}")

    async def _store(self, read: Sequence[tuple[Msg, list[Row]]]) -> None:
        """Tries until the database takes it: an archive that skips what it could not write would be wrong for good."""
        rows, delay_s = [row for _, rows in read for row in rows], _AGAIN_S
        while not self._stopping.is_set():
            try:
                if rows:
                    await database.write(self._engine, rows)
                for message, _ in read:
                    await message.ack()
                return
            except Retryable as error:
                log.warning("archive waits", extra={"consumer": self._spec.name, "reason": error.reason})
            self._answered_at = time.monotonic()
            for message, _ in read:
                await message.in_progress()
            await asyncio.sleep(delay_s)
            delay_s = min(delay_s * 2, _LONGEST_S)

    async def _bury(self, message: Msg, reason: str) -> None:
        try:
            await deadletter.bury(self._bus, deadletter.of_delivery(message, self._bus.service, reason))
        except (Retryable, Permanent):
            log.exception("dead letter could not be stored", extra={"consumer": self._spec.name})
            await message.nak(delay=_LONGEST_S)
            return
        log.error("message dead-lettered", extra={"consumer": self._spec.name})
        await message.term()
