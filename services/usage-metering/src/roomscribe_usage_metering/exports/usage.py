"""One entry of the ledger as other systems are told of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.entry import Stored
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.quantise import RULES

SOURCE = "roomscribe/usage-metering"
"""The same for every replica: receivers tell a second sending by source and id."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Usage:
    """Whole steps of a meter, signed, at an instant of the period they are paid in. `id` is the entry's key.

    Steps are what is exported, for they are whole: minutes of speech are sixtieths, which no receiver can add exactly.
    """

    seq: int
    id: str
    tenant: str
    meter: Meter
    period: str
    steps: int
    at_ms: int
    booked_ms: int
    details: tuple[tuple[str, str], ...]
    """Names and values of what else is told; no names of people."""


def usage_of(booked: Stored, bounds_ms: Callable[[str, str], tuple[int, int]]) -> Usage:
    """The entry for export. `bounds_ms` gives the half-open range of a tenant's period.

    What was booked after its period's end, in the grace or by closing, is dated to the period's last second: receivers
    bill by time.
    """
    entry, slot = booked.entry, booked.entry.slot
    start_ms, end_ms = bounds_ms(slot.tenant, entry.period)
    rule = RULES[POLICY][slot.meter]
    details = {
        "step": f"{rule.step} {rule.unit}",
        "period": entry.period,
        "of_period": slot.of_period,
        "meeting": slot.meeting_id,
        "line": slot.line_id,
        "price": slot.price,
        "quality": entry.quality,
        "corrects": entry.corrects or "",
    }
    return Usage(
        seq=booked.seq,
        id=entry.key,
        tenant=slot.tenant,
        meter=slot.meter,
        period=entry.period,
        steps=entry.steps,
        at_ms=max(start_ms, min(booked.booked_ms, end_ms - 1_000)),
        booked_ms=booked.booked_ms,
        details=tuple((name, value) for name, value in details.items() if value),
    )


def rfc3339(at_ms: int) -> str:
    """Epoch milliseconds as `2026-11-22T17:00:00.000Z`."""
    at = _EPOCH + timedelta(milliseconds=at_ms)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
