"""What the ledger keeps for ever: signed entries of whole steps."""

import hashlib
from dataclasses import dataclass

from roomscribe_common.contracts.usage import Meter, Quality


@dataclass(frozen=True, slots=True)
class Slot:
    """What an entry is about: one line of a meeting, in the period its ticks fall into, at the price that held then."""

    tenant: str
    meeting_id: str
    line_id: str
    meter: Meter
    of_period: str
    price: str
    """`book@version`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """Whole steps of a meter, booked once. What is wrong with one is taken back by the next version's.

    `period` is the one it is paid in: `slot.of_period` unless that was closed before. `steps` and `quantity` (measured
    units: ms, bytes, tokens, characters) are what this version adds, and may be negative.
    """

    slot: Slot
    version: int
    period: str
    steps: int
    quantity: int
    identity: str
    quality: Quality
    basis: str
    start_ms: int | None = None
    """When what the slot holds began; None for what was booked before that was kept."""

    @property
    def key(self) -> str:
        """The same for the same booking, whoever makes it."""
        return entry_key(self.slot, self.version)

    @property
    def corrects(self) -> str | None:
        """The key of the entry this one corrects; None for the first."""
        return None if self.version == 1 else entry_key(self.slot, 1)


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry with its place in the ledger: whatever is booked later has a higher `seq`."""

    seq: int
    entry: Entry
    booked_ms: int


def entry_key(slot: Slot, version: int) -> str:
    """SHA-256 over what the entry is about and its version."""
    parts = (slot.tenant, slot.meter, slot.meeting_id, slot.line_id, slot.of_period, slot.price, str(version))
    return hashlib.sha256("|".join(parts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Total:
    """Steps of a meter that a meeting used in `of_period` at one price, and pays in `period`."""

    meeting_id: str
    period: str
    of_period: str
    price: str
    meter: Meter
    steps: int
    estimated: bool


def total_of(entry: Entry) -> Total:
    """An entry as a sum of its own."""
    slot = entry.slot
    estimated = entry.quality == "estimated"
    return Total(slot.meeting_id, entry.period, slot.of_period, slot.price, slot.meter, entry.steps, estimated)
