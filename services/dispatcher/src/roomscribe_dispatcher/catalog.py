"""The meetings, from Redis where it has them and from the stream where it has lost them."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from roomscribe_common.errors import Retryable
from roomscribe_common.lease import Leases

from roomscribe_dispatcher.adapters.history import History
from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.domain import Meeting

log = logging.getLogger(__name__)

_TRIES: Final = 20
_CLAIM_LOOKED_AT_S: Final = 3.0
"""Whoever claims a meeting issues its job at once; if it died in between, somebody looks after so long."""


class Catalog:
    """Finds, claims and changes meetings. Every call raises `Retryable` when Redis or the stream does not answer."""

    def __init__(self, store: MeetingStore, history: History, leases: Leases, grace_s: float, tick_s: float) -> None:
        """`grace_s`: how long agents have to show up again after Redis came back empty."""
        self._store = store
        self._history = history
        self._leases = leases
        self._grace_s = grace_s
        self._tick_s = tick_s

    async def find(self, tenant: str, meeting_id: str) -> Meeting | None:
        """The meeting; None if no dispatcher was ever asked for it."""
        found = await self._store.get(tenant, meeting_id)
        if found is not None:
            return found
        restored = await self._history.meeting(tenant, meeting_id)
        if restored is None or restored.over:
            return restored
        return await self._restore(restored)

    async def claim(self, meeting: Meeting) -> Meeting | Literal["foreign"] | None:
        """None if the meeting is new and stored; else the one that has its room, its key or its id.

        `foreign`: another tenant's meeting has its room.
        """
        now = datetime.now(UTC)
        claimed_for = timedelta(seconds=0 if meeting.state == "scheduled" else _CLAIM_LOOKED_AT_S)
        check_at = _due_at(meeting, now) + claimed_for
        answer = await self._store.claim(meeting, check_at)
        if answer == "cold":
            await self.rebuild()
            answer = await self._store.claim(meeting, check_at)
        if answer == "cold":
            raise Retryable("Redis lost what it was told")
        return None if answer == "created" else answer

    async def change(self, meeting: Meeting, decide: Callable[[Meeting], Meeting | None]) -> Meeting | None:
        """Store what `decide` makes of the meeting as it is now; None if that is no change, or its room is taken.

        `decide` may be called several times, each time with a newer copy.
        """
        known: Meeting | None = meeting
        for _ in range(_TRIES):
            if known is None:
                return None
            changed = decide(known)
            if changed is None or changed == known:
                return None
            now = datetime.now(UTC)
            check_at = max(now + timedelta(seconds=self._tick_s), _due_at(changed, now))
            written = await self._store.put(changed, check_at)
            if isinstance(written, Meeting):
                return written
            if written == "taken":
                return None
            known = await self.find(meeting.tenant, meeting.id)
        raise Retryable(f"meeting {meeting.id} changes too fast", delay_s=0.2)

    async def rebuild(self) -> None:
        """Make the wanted set whole from the stream. What Redis has stays as it is."""
        wanted = await self._history.wanted()
        for meeting in wanted:
            await self._restore(meeting)
        await self._store.set_ready()
        log.info("wanted meetings rebuilt", extra={"wanted": len(wanted)})

    async def ensure_ready(self) -> None:
        """Rebuilds if Redis came back empty."""
        if not await self._store.is_ready():
            await self.rebuild()

    async def _restore(self, meeting: Meeting) -> Meeting:
        now = datetime.now(UTC)
        check_at = max(now + timedelta(seconds=self._grace_s), _due_at(meeting, now))
        answer = await self._store.claim(meeting, check_at, rebuilding=True)
        if isinstance(answer, Meeting):
            return answer
        if meeting.epoch:
            # Epochs must not begin again below that of an agent that may still be in the room.
            with asking_redis():
                await self._leases.acquire(meeting.id, meeting.epoch, self._grace_s)
        return meeting


def _due_at(meeting: Meeting, now: datetime) -> datetime:
    join_at = meeting.spec.join_at
    return join_at if meeting.state == "scheduled" and join_at is not None and meeting.ending is None else now
