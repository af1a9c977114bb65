"""Entries of a ledger, and what they add up to."""

import os
from collections import Counter
from collections.abc import Iterable, Sequence

from hypothesis import settings
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.domain.entry import Entry, Slot, Stored
from roomscribe_usage_metering.domain.periods import UTC_MONTHS
from roomscribe_usage_metering.exports.usage import Usage, usage_of

scenarios = settings(max_examples=int(os.environ.get("ROOMSCRIBE_TEST_SCENARIOS", "40")), deadline=None)
"""How many random cases an invariant is tried with, without a clock: the machine may be slow."""


def entry(number: int, steps: int, tenant: str = "acme", meter: Meter = "webrtc_participant_minutes") -> Entry:
    slot = Slot(tenant, f"mtg_{number}", f"line_{number}", meter, "2026-11", "livekit-cloud-ship@2026-06")
    return Entry(slot, 1, "2026-11", steps, steps * 60_000, "anna", "measured", "left")


def stored(entries: Iterable[Entry], booked_ms: int) -> list[Usage]:
    return [
        usage_of(Stored(seq, one, booked_ms), lambda _, name: _bounds(name)) for seq, one in enumerate(entries, start=1)
    ]


def _bounds(name: str) -> tuple[int, int]:
    period = UTC_MONTHS.named(name)
    return period.start_ms, period.end_ms


def sums(entries: Iterable[Entry]) -> dict[tuple[str, str], int]:
    found: Counter[tuple[str, str]] = Counter()
    for one in entries:
        found[one.slot.tenant, one.slot.meter] += one.steps
    return dict(found)


class ListFeed:
    """A ledger in memory."""

    def __init__(self, items: Sequence[Usage]) -> None:
        self.items = items

    async def after(self, seq: int, limit: int) -> list[Usage]:
        return [one for one in self.items if one.seq > seq][:limit]

    async def newest(self) -> int:
        return max((one.seq for one in self.items), default=0)
