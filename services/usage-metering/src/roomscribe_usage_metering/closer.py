"""Tells the world a meeting's ledger once it is closed."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from roomscribe_common.contracts.base import AnyEvent
from roomscribe_common.contracts.usage import MeetingUsage, MeetingUsageData
from roomscribe_common.errors import Permanent, Retryable
from roomscribe_common.subjects import subject_of
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.ledgers import Derived, Ledgers
from roomscribe_usage_metering.adapters.store import EvidenceStore
from roomscribe_usage_metering.domain.closing import Close, Told, Wait, decide
from roomscribe_usage_metering.domain.evidence import MeetingKey

log = logging.getLogger(__name__)

_AT_ONCE = 50
_DEADLINE_S = 60.0


@dataclass(frozen=True, slots=True)
class Times:
    """`look_every_s`: how often due meetings are looked for. `grace_s`: see the setting."""

    look_every_s: float
    grace_s: float


class Closer:
    """Closes the ledgers that are due, one after the other. Replicas may do so at once: the event's id is the same."""

    def __init__(
        self,
        store: EvidenceStore,
        ledgers: Ledgers,
        publish: Callable[[AnyEvent], Awaitable[object]],
        source: str,
        times: Times,
    ) -> None:
        self._store = store
        self._ledgers = ledgers
        self._publish = publish
        self._source = source
        self._times = times

    async def run(self) -> None:
        """Looks until cancelled; what fails is due again at the next look."""
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self.close_due(time.time_ns() // 1_000_000)
            except (SQLAlchemyError, OSError, TimeoutError, Retryable) as error:
                log.warning("closing failed, trying again", extra={"error": type(error).__name__})
            await asyncio.sleep(self._times.look_every_s)

    async def close_due(self, now_ms: int) -> None:
        """Closes, or puts off, each meeting that is due."""
        for key in await self._store.due(now_ms, _AT_ONCE):
            await self._look(key, now_ms)

    async def _look(self, key: MeetingKey, now_ms: int) -> None:
        derived = await self._ledgers.derive(key)
        if derived is None:
            return
        recheck_ms = int(self._times.look_every_s * 1000)
        match decide(derived.ledger, _told(derived), now_ms, int(self._times.grace_s * 1000), recheck_ms):
            case Close():
                await self._close(derived)
            case Wait(until_ms):
                await self._store.look_again(derived.meeting, until_ms)

    async def _close(self, derived: Derived) -> None:
        usage = self._ledgers.usage(derived.ledger, closed=True)
        try:
            await self._publish(meeting_usage(derived.meeting.key.tenant, usage, self._source))
        except Permanent as error:
            log.error("ledger cannot be told", extra={"meeting": usage.meeting_id, "reason": error.reason})
            await self._store.look_again(derived.meeting, None)
            return
        # A crash here publishes it once more, under the same id.
        await self._store.close(derived.meeting, usage.digest, usage.model_dump_json())


def _told(derived: Derived) -> Told:
    if derived.meeting.closed_digest is None:
        return "never"
    return "same" if derived.meeting.closed_digest == derived.ledger.digest else "other"


def meeting_usage(tenant: str, usage: MeetingUsageData, source: str) -> MeetingUsage:
    """The event that tells a closed ledger."""
    return MeetingUsage.new(
        id=f"usage:{usage.meeting_id}:{usage.digest}",
        source=source,
        subject=subject_of(MeetingUsage, tenant, usage.meeting_id),
        tenant=tenant,
        data=usage,
    )
