"""Compares wanted meetings with the people LiveKit says are in their rooms: webhooks get lost, and an agent may believe
to be where it is not. From a LiveKit that does not answer nothing is concluded.
"""

import asyncio
import contextlib
import logging
import zlib
from datetime import UTC, datetime, timedelta
from typing import Final

from roomscribe_common import logs
from roomscribe_common.boundary import one_of_many
from roomscribe_common.errors import Retryable

from roomscribe_dispatcher.adapters.livekit import Livekit, LivekitUnusable
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.domain import Meeting
from roomscribe_dispatcher.events import identity
from roomscribe_dispatcher.lifecycle import Lifecycle

log = logging.getLogger(__name__)

_TURNS: Final = 10
"""Looks in which each meeting is looked at closely once."""
_LOOKS_TO_BELIEVE: Final = 2
_SETTLED: Final = timedelta(seconds=5)
"""LiveKit lists an agent by then."""
_AT_ONCE: Final = 8
_LOOK_S: Final = 30.0


class Watchdog:
    """One replica's; of all replicas one leads."""

    def __init__(self, store: MeetingStore, lifecycle: Lifecycle, livekit: Livekit, who: str, every_s: float) -> None:
        self._store = store
        self._lifecycle = lifecycle
        self._livekit = livekit
        self._who = who
        self._every_s = every_s
        self._turn = 0
        self._close_looks = _LOOKS_TO_BELIEVE
        """Looks in which all is looked at closely: at the start, and after LiveKit was away."""
        self._missing: dict[str, int] = {}
        """Looks in a row in which a meeting's agent was not in its room."""
        self._seen: dict[str, datetime] = {}
        """When a meeting's agent was last seen in its room."""
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, stopping: asyncio.Event) -> None:
        """Looks until stopped."""
        while not stopping.is_set():
            try:
                async with asyncio.timeout(_LOOK_S):
                    if await self._store.leads(self._who, 3 * self._every_s):
                        await self._look()
                    else:
                        self._forget()
            except LivekitUnusable as error:
                self._close_looks = _LOOKS_TO_BELIEVE
                log.warning("rooms not looked at", extra={"reason": error.reason, "detail": str(error)})
            except (Retryable, TimeoutError) as error:
                log.warning("rooms not looked at", extra={"reason": str(error) or "took too long"})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._every_s):
                    await stopping.wait()

    def _forget(self) -> None:
        """What was seen while another one leads is not known here."""
        self._seen.clear()
        self._missing.clear()
        self._close_looks = _LOOKS_TO_BELIEVE

    async def _look(self) -> None:
        live = [each for each in await self._store.wanted() if each.state == "live" and each.ending is None]
        for known in (self._missing, self._seen):
            for gone in known.keys() - {meeting.id for meeting in live}:
                del known[gone]
        if not live:
            return
        rooms = await self._livekit.rooms(sorted({meeting.spec.room for meeting in live}))
        self._turn = (self._turn + 1) % _TURNS
        closely = [each for each in live if each.spec.room in rooms and self._is_odd(each)]
        self._close_looks = max(0, self._close_looks - 1)
        await asyncio.gather(*(self._look_into(meeting) for meeting in closely))

    def _is_odd(self, meeting: Meeting) -> bool:
        if meeting.vacant_since is not None or meeting.id in self._missing or self._close_looks:
            return True
        return zlib.crc32(meeting.id.encode()) % _TURNS == self._turn

    async def _look_into(self, meeting: Meeting) -> None:
        with logs.bound(tenant=meeting.tenant, meeting=meeting.id), one_of_many(log, "room not looked into"):
            async with self._slots:
                await self._compare(meeting)

    async def _compare(self, meeting: Meeting) -> None:
        now = datetime.now(UTC)
        present = await self._livekit.present(meeting.spec.room)
        if meeting.vacant_since is not None:
            if present.first_came is not None:
                await self._lifecycle.revive(meeting, present.first_came)
            return
        if identity(meeting) in present.identities:
            self._seen[meeting.id] = now
            self._missing.pop(meeting.id, None)
            return
        if present.first_came is None or meeting.joined_at is None or now - meeting.joined_at < _SETTLED:
            return
        self._missing[meeting.id] = self._missing.get(meeting.id, 0) + 1
        if self._missing[meeting.id] < _LOOKS_TO_BELIEVE:
            return
        log.warning("agent is not in its room", extra={"epoch": meeting.epoch})
        del self._missing[meeting.id]
        seen = self._seen.get(meeting.id, meeting.joined_at)
        await self._lifecycle.replace(meeting, max(seen, meeting.joined_at))  # it may have been an earlier agent
