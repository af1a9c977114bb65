"""Closes meetings' ledgers: books them, and tells the world."""

import asyncio
import logging
import time
from dataclasses import dataclass

from roomscribe_common.contracts.usage import MeetingUsage, MeetingUsageData
from roomscribe_common.subjects import subject_of
from sqlalchemy.exc import SQLAlchemyError

from roomscribe_usage_metering.adapters.bookings import Bookings
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
    """Closes the ledgers that are due, one after the other. Replicas may do so at once: one of them books."""

    def __init__(self, store: EvidenceStore, ledgers: Ledgers, bookings: Bookings, source: str, times: Times) -> None:
        self._store = store
        self._ledgers = ledgers
        self._bookings = bookings
        self._source = source
        self._times = times

    async def run(self) -> None:
        """Looks until cancelled; what fails is due again at the next look."""
        while True:
            try:
                async with asyncio.timeout(_DEADLINE_S):
                    await self.close_due(time.time_ns() // 1_000_000)
            except (SQLAlchemyError, OSError, TimeoutError) as error:
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
        told, recheck_ms = _told(derived), int(self._times.look_every_s * 1000)
        match decide(derived.ledger, told, now_ms, int(self._times.grace_s * 1000), recheck_ms):
            case Close():
                usage = self._ledgers.usage(derived.ledger, closed=True)
                event = meeting_usage(key.tenant, usage, self._source)
                await self._bookings.settle(derived.meeting, derived.ledger, event, now_ms)
            case Wait(_) if told == "same":
                # The same ledger from more evidence: what is kept of it is of its newest version again.
                await self._bookings.settle(derived.meeting, derived.ledger, None, now_ms)
            case Wait(until_ms):
                await self._store.look_again(derived.meeting, until_ms)


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
