"""Looks at every wanted meeting once a second, whichever replica comes first: is it due, is its agent still there?"""

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from typing import Final

from roomscribe_common import logs
from roomscribe_common.boundary import one_of_many
from roomscribe_common.errors import Retryable
from roomscribe_common.lease import Leases

from roomscribe_dispatcher import domain
from roomscribe_dispatcher.adapters.history import History
from roomscribe_dispatcher.adapters.redis import asking_redis
from roomscribe_dispatcher.adapters.store import MeetingStore
from roomscribe_dispatcher.catalog import Catalog
from roomscribe_dispatcher.domain import Meeting, Policy
from roomscribe_dispatcher.handlers import Dispatcher
from roomscribe_dispatcher.lifecycle import Lifecycle
from roomscribe_dispatcher.settings import DispatcherSettings

log = logging.getLogger(__name__)

_AT_ONCE: Final = 16
_ONE_MEETING_S: Final = 15.0


class Watch:
    """The dispatcher's clock."""

    def __init__(
        self,
        store: MeetingStore,
        catalog: Catalog,
        history: History,
        leases: Leases,
        lifecycle: Lifecycle,
        dispatcher: Dispatcher,
        policy: Policy,
        settings: DispatcherSettings,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._history = history
        self._leases = leases
        self._lifecycle = lifecycle
        self._dispatcher = dispatcher
        self._policy = policy
        self._tick_s = settings.dispatcher_tick_s
        self._lease_ttl_s = settings.ingest_lease_ttl_s
        self._doubt_leases()
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopped. Being cancelled is not enough: Redis and NATS clients wait with `asyncio.wait_for`, which
        before Python 3.12 loses a cancellation that comes together with the answer.
        """
        while not stopping.is_set():
            try:
                await self._look()
            except Retryable as error:
                self._doubt_leases()
                log.warning("meetings not looked at", extra={"reason": error.reason})
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._tick_s):
                    await stopping.wait()

    async def _look(self) -> None:
        asked = time.monotonic()
        await self._catalog.ensure_ready()
        meetings = await self._store.due(self._tick_s)
        with asking_redis():
            held = await self._leases.holders([meeting.id for meeting in meetings]) if meetings else {}
        if time.monotonic() - asked > self._lease_ttl_s / 3:
            self._doubt_leases()
        doubt = time.monotonic() < self._leases_hold_from
        now = datetime.now(UTC)
        attended = {meeting.id: meeting.id in held or (doubt and meeting.joined_at is not None) for meeting in meetings}
        await asyncio.gather(
            *(
                self._tend(meeting, attended[meeting.id])
                for meeting in meetings
                if domain.next_step(meeting, attended[meeting.id], now, self._policy) != "nothing"
            )
        )

    def _doubt_leases(self) -> None:
        """When Redis is silent, agents that are there cannot renew either: once it is back they get the time to."""
        self._leases_hold_from = time.monotonic() + self._lease_ttl_s

    async def _tend(self, meeting: Meeting, attended: bool) -> None:
        about = logs.bound(tenant=meeting.tenant, meeting=meeting.id)
        with about, one_of_many(log, "meeting not tended, trying again"):
            async with self._slots, asyncio.timeout(_ONE_MEETING_S):
                await self._act(meeting, attended)

    async def _act(self, meeting: Meeting, attended: bool) -> None:
        if not attended and meeting.joined_at is not None and meeting.vacant_since is None:
            # Its agent gives the lease back when it leaves, and says why: that may not have been heard yet.
            left = await self._history.last_left(meeting)
            if left is not None and left.data.epoch == meeting.epoch:
                return await self._dispatcher.agent_left(left)
            log.warning("agent lost", extra={"epoch": meeting.epoch})
        return await self._lifecycle.step(meeting, attended)
