"""Asks LiveKit at intervals who is in the rooms of meetings that run."""

import asyncio
import logging
import time
from collections.abc import Sequence

from roomscribe_common.errors import Retryable
from roomscribe_common.subjects import UNKNOWN
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.livekit_rooms import LivekitRooms, LivekitUnavailable
from roomscribe_usage_metering.adapters.store import EvidenceStore, Room
from roomscribe_usage_metering.adapters.writer import EvidenceWriter
from roomscribe_usage_metering.domain.evidence import Record, RoomPolled

log = logging.getLogger(__name__)

_ROOMS_AT_MOST = 1_000
_FORGET_MS = 48 * 3_600_000
"""A meeting whose end was never told is not polled for ever."""


class Poller:
    """Turns polls into evidence. A poll that fails is left out: the next one says as much."""

    def __init__(self, rooms: LivekitRooms, store: EvidenceStore, writer: EvidenceWriter, source: str) -> None:
        self._rooms = rooms
        self._store = store
        self._writer = writer
        self._source = source

    async def run(self, every_s: float) -> None:
        """Polls until cancelled."""
        while True:
            try:
                async with asyncio.timeout(every_s):
                    await self.poll_all(time.time_ns() // 1_000_000)
            except (LivekitUnavailable, SQLAlchemyError, OSError, TimeoutError, Retryable) as error:
                log.warning("rooms not polled", extra={"error": type(error).__name__})
            await asyncio.sleep(every_s)

    async def poll_all(self, now_ms: int) -> None:
        """One round over the rooms of meetings that are not closed. Raises `LivekitUnavailable`."""
        rooms = await self._store.rooms_to_poll(now_ms - _FORGET_MS, _ROOMS_AT_MOST)
        if rooms:
            await self._poll(rooms, now_ms)

    async def _poll(self, rooms: Sequence[Room], now_ms: int) -> None:
        opened = await self._rooms.open_sids(sorted({room.name for room in rooms}))
        for room in dict.fromkeys(rooms):
            # A room of the same name may be another by now: what is gone is empty.
            gone = RoomPolled(room_sid=room.sid, at_ms=now_ms, present=())
            polled = await self._rooms.poll(room, now_ms) if room.sid in opened else gone
            record = Record(UNKNOWN, self._source, f"poll:{room.sid}:{now_ms}", polled, None, room.sid)
            await self._writer.add(record)
