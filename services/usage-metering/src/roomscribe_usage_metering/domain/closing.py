"""When a meeting's ledger is told to the world."""

from dataclasses import dataclass
from typing import Literal

from roomscribe_usage_metering.domain.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Close:
    """Publish the ledger as closed."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Look again at `until_ms`, or when new evidence comes (None)."""

    until_ms: int | None


Decision = Close | Wait
Told = Literal["never", "same", "other"]
"""Whether a closed ledger was published before, and if it said the same."""


def decide(ledger: Ledger, told: Told, now_ms: int, grace_ms: int, recheck_ms: int) -> Decision:
    """Close once nothing runs any more, or `grace_ms` after the end if the last leave never comes.

    Late evidence that changes a closed ledger closes it again, under its new digest, once nothing runs.
    """
    if ledger.ended_ms is None or told == "same":
        return Wait(None)
    if not ledger.open:
        return Close()
    if told == "other":
        return Wait(None)
    closes_ms = ledger.ended_ms + grace_ms
    return Close() if now_ms >= closes_ms else Wait(min(closes_ms, now_ms + recheck_ms))
