"""The meetings, from Redis where it has them and from the stream where it has lost them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from roomscribe_common.errors import Retryable
from roomscribe_common.lease import Leases

from roomscribe_dispatcher.adapters.history import History
from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.caps import Full
from roomscribe_dispatcher.domain import Blocked, Meeting, due_at
from roomscribe_dispatcher.loss import Loss, loss

log = logging.getLogger(__name__)

_TRIES: Final = 20
_CLAIM_LOOKED_AT_S: Final = 3.0
"""Whoever claims a meeting issues its job at once; if it died in between, somebody looks after so long."""


class Catalog:
    """Finds, claims and changes meetings. Every call raises `Retryable` when Redis or the stream does not answer."""

    def __init__(
        self,
        store: MeetingStore,
        history: History,
        leases: Leases,
        grace_s: float,
        tick_s: float,
        *,
        join_early_s: float = 0.0,
        first: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`grace_s`: how long agents have to show up again after Redis came back empty.

        `first`: what else is rebuilt before the wanted set counts as whole.
        """
        self._store = store
        self._history = history
        self._leases = leases
        self._grace_s = grace_s
        self._tick_s = tick_s
        self._join_early_s = join_early_s
        self._first = first
        self._rebuilding = asyncio.Lock()

    async def find(self, tenant: str, meeting_id: str) -> Meeting | None:
        """The meeting; None if no dispatcher was ever asked for it."""
        found = await self._store.get(tenant, meeting_id)
        if found is not None:
            return found
        restored = await self._history.meeting(tenant, meeting_id)
        if restored is None or restored.over:
            return restored
        return await self._restore(restored)

    async def claim(
        self, meeting: Meeting, series_version: int = 0
    ) -> Meeting | Full | Literal["foreign", "stale"] | None:
        """None if the meeting is new and stored; else the one that has its room, its key or its id.

        `Full`: it must wait for a cap. `foreign`: another tenant's meeting has its room. `stale`: its series is no
        longer of that version.
        """
        now = datetime.now(UTC)
        claimed_for = timedelta(seconds=0 if meeting.state == "scheduled" else _CLAIM_LOOKED_AT_S)
        check_at = due_at(meeting, now, self._join_early_s) + claimed_for
        answer = await self._store.claim(meeting, check_at, series_version=series_version)
        if answer == "cold":
            await self.ensure_ready()
            answer = await self._store.claim(meeting, check_at, series_version=series_version)
        if answer == "cold":
            raise Retryable("Redis lost what it was told")
        return None if answer == "created" else answer

    async def keyed(self, tenant: str, idempotency_key: str | None) -> Meeting | None:
        """The meeting that was asked for under that key not long ago."""
        return None if idempotency_key is None else await self._store.keyed(tenant, idempotency_key)

    async def change(self, meeting: Meeting, decide: Callable[[Meeting], Meeting | None]) -> Meeting | None:
        """Store what `decide` makes of the meeting as it is now; None if that is no change, or it is blocked.

        `decide` may be called several times, each time with a newer copy.
        """
        changed = await self.begin(meeting, decide)
        return changed if isinstance(changed, Meeting) else None

    async def begin(self, meeting: Meeting, decide: Callable[[Meeting], Meeting | None]) -> Meeting | Blocked | None:
        """As `change`, for a meeting that may have been scheduled: says what keeps its agent from being sent."""
        known: Meeting | None = meeting
        for _ in range(_TRIES):
            if known is None:
                return None
            changed = decide(known)
            if changed is None or changed == known:
                return None
            now = datetime.now(UTC)
            check_at = max(now + timedelta(seconds=self._tick_s), due_at(changed, now, self._join_early_s))
            written = await self._store.put(changed, check_at)
            if isinstance(written, Meeting):
                return written
            if isinstance(written, Full):
                return "concurrency_limit"
            if written == "taken":
                return "room_taken"
            known = await self.find(meeting.tenant, meeting.id)
        raise Retryable(f"meeting {meeting.id} changes too fast", delay_s=0.2)

    async def loss(self, meeting: Meeting) -> Loss | None:
        """Until when the meeting's agent that is gone heard; None if that is no news."""
        with asking_redis():
            said = await self._leases.heard(meeting.id)
        return loss(meeting, await self._history.signs(meeting, said))

    async def rebuild(self) -> None:
        """Make the wanted set whole from the stream. What Redis has stays as it is."""
        async with self._rebuilding:
            await self._rebuild()

    async def ensure_ready(self) -> None:
        """Rebuilds if Redis came back empty; whoever asks meanwhile waits for that."""
        if await self._store.is_ready():
            return
        async with self._rebuilding:
            if not await self._store.is_ready():
                await self._rebuild()

    async def _rebuild(self) -> None:
        if self._first is not None:
            await self._first()
        wanted = await self._history.wanted()
        for meeting in wanted:
            await self._restore(meeting)
        await self._store.set_ready()
        log.info("wanted meetings rebuilt", extra={"wanted": len(wanted)})

    async def _restore(self, meeting: Meeting) -> Meeting:
        now = datetime.now(UTC)
        check_at = due_at(meeting, now, self._join_early_s)
        if check_at <= now:  # its agent may be there, or on its way
            check_at = now + timedelta(seconds=self._grace_s)
        answer = await self._store.claim(meeting, check_at, rebuilding=True)
        if isinstance(answer, Meeting):
            return answer
        if meeting.epoch:
            # Epochs must not begin again below that of an agent that may still be in the room.
            with asking_redis():
                await self._leases.acquire(meeting.id, meeting.epoch, self._grace_s)
        return meeting
