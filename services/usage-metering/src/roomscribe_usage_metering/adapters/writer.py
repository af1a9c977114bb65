"""One writer for all handlers: what waits at the same time is committed together."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from roomscribe_common.errors import Retryable
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.domain.evidence import Record

_QUEUE_LENGTH = 1_000
_BATCH = 200


@dataclass(frozen=True, slots=True)
class _Waiting:
    record: Record
    stored: "asyncio.Future[None]"


class EvidenceWriter:
    """Stores evidence in batches. `add` returns only after the commit, so that whoever awaits it may ack."""

    def __init__(self, store: EvidenceStore, timeout_s: float) -> None:
        self._store = store
        self._timeout_s = timeout_s
        self._queue: asyncio.Queue[_Waiting] = asyncio.Queue(_QUEUE_LENGTH)

    async def add(self, record: Record) -> None:
        """Returns once the record is in the database. Raises `Retryable` if that fails or takes too long."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._queue.put(_Waiting(record, stored))
                await stored
        except TimeoutError as error:
            raise Retryable(f"the database did not store evidence in {self._timeout_s:g} s") from error

    async def run(self) -> None:
        """Commits until cancelled."""
        while True:
            batch = [await self._queue.get()]
            while len(batch) < _BATCH and not self._queue.empty():
                batch.append(self._queue.get_nowait())
            await self._commit(batch)

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        failure: Exception | None = None
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._store.add([one.record for one in batch], time.time_ns() // 1_000_000)
        except (SQLAlchemyError, OSError, TimeoutError) as error:
            failure = error
        for one in batch:
            if one.stored.done():
                continue
            if failure is None:
                one.stored.set_result(None)
            else:
                again = Retryable(f"the database failed: {type(failure).__name__}")
                again.__cause__ = failure
                one.stored.set_exception(again)
