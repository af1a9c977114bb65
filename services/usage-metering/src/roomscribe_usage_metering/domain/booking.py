"""From what a meeting's ledger says now to the entries that bring the books to it. Nothing booked is ever changed."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from roomscribe_common.contracts.usage import Quality

from roomscribe_usage_metering.domain.entry import Entry, Slot
from roomscribe_usage_metering.domain.ledger import Ledger
from roomscribe_usage_metering.domain.lines import Line
from roomscribe_usage_metering.domain.periods import Timeline
from roomscribe_usage_metering.domain.ticks import measured_between, steps_between

WHOLE = "9999-12"
"""Through this period a meeting is booked whole."""


@dataclass(frozen=True, slots=True)
class Use:
    """What a slot holds: whole steps, measured units, and the line they are of."""

    steps: int
    quantity: int
    identity: str
    quality: Quality
    basis: str
    start_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Booked:
    """What was booked of a slot so far, in how many versions; the use has the last one's words."""

    version: int
    use: Use


def desired(ledger: Ledger, timeline: Timeline, through: str = WHOLE) -> dict[Slot, Use]:
    """What should be booked for the meeting up to and with a period: each line cut where a period or a price ends."""
    found: dict[Slot, Use] = {}
    for line in ledger.lines:
        for span in timeline.spans(*_extent(line)):
            if span.period > through:
                break
            quantity = measured_between(line, span.start_ms, span.end_ms)
            if quantity:
                slot = Slot(
                    tenant=ledger.meeting.tenant,
                    meeting_id=ledger.meeting.meeting_id,
                    line_id=line.line_id,
                    meter=line.meter,
                    of_period=span.period,
                    price=span.price,
                )
                steps, start_ms = steps_between(line, span.start_ms, span.end_ms), max(line.start_ms, span.start_ms)
                if (same := found.get(slot)) is not None:  # one participant SID in two rooms
                    steps, quantity = steps + same.steps, quantity + same.quantity
                found[slot] = Use(steps, quantity, line.identity, line.quality, line.basis, start_ms)
    return found


def _extent(line: Line) -> tuple[int, int]:
    if line.parts:
        return line.parts[0][0], line.parts[-1][0] + 1
    return line.start_ms, line.start_ms - (-line.quantity // line.per_ms)


def deltas(
    wanted: Mapping[Slot, Use], booked: Mapping[Slot, Booked], timeline: Timeline, through: str = WHOLE
) -> list[Entry]:
    """The entries that make `booked` equal to `wanted`, up to and with a period; none where they are equal.

    What belongs to a closed period is paid in the first open one.
    """
    slots = {slot for slot in (*wanted, *booked) if slot.of_period <= through}
    return [entry for slot in sorted(slots, key=order) for entry in _delta(slot, wanted, booked, timeline)]


def _delta(
    slot: Slot, wanted: Mapping[Slot, Use], booked: Mapping[Slot, Booked], timeline: Timeline
) -> Iterator[Entry]:
    want, have = wanted.get(slot), booked.get(slot)
    said = want or (have.use if have else None)
    assert said is not None
    steps = (want.steps if want else 0) - (have.use.steps if have else 0)
    quantity = (want.quantity if want else 0) - (have.use.quantity if have else 0)
    if steps or quantity:
        first_open = timeline.first_open
        late = first_open is not None and timeline.is_closed(slot.of_period)
        yield Entry(
            slot=slot,
            version=have.version + 1 if have else 1,
            period=first_open.name if first_open and late else slot.of_period,
            steps=steps,
            quantity=quantity,
            identity=said.identity,
            quality=said.quality,
            basis=said.basis,
            start_ms=said.start_ms,
        )


def digest(sums: Iterable[tuple[Slot, int, int]]) -> str:
    """SHA-256 over what a period's entries add up to, slot by slot: steps and quantity. Any order, same digest."""
    found = hashlib.sha256()
    for slot, steps, quantity in sorted(sums, key=lambda one: order(one[0])):
        if steps or quantity:
            found.update(json.dumps([*order(slot), steps, quantity], separators=(",", ":")).encode() + b"\n")
    return found.hexdigest()


def order(slot: Slot) -> tuple[str, ...]:
    """What slots are sorted by."""
    return slot.tenant, slot.meeting_id, slot.line_id, slot.meter, slot.of_period, slot.price
