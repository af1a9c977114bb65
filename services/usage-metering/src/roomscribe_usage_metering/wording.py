"""Entries, ticks and sums in words: for whoever asks why a line is what it is. Pure."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import islice

from roomscribe_common.contracts.billing import InvoiceLine
from roomscribe_common.contracts.invoices import BookedEntry, Tick

from roomscribe_usage_metering.domain.entry import Entry
from roomscribe_usage_metering.domain.lines import POLICY, Line, instant
from roomscribe_usage_metering.domain.periods import Period, Timeline
from roomscribe_usage_metering.domain.quantise import RULES, decimal_text, in_billed_units
from roomscribe_usage_metering.domain.ticks import ticks
from roomscribe_usage_metering.pricing.exact import text


def entry_told(entry: Entry, booked_ms: int | None) -> BookedEntry:
    """The entry; `booked_ms` is None for what would be booked now."""
    slot = entry.slot
    return BookedEntry(
        key=entry.key,
        meeting_id=slot.meeting_id,
        line_id=slot.line_id,
        meter=slot.meter,
        identity=entry.identity,
        period=entry.period,
        of_period=slot.of_period,
        price=slot.price,
        version=entry.version,
        corrects=entry.corrects,
        steps=entry.steps,
        billed=decimal_text(in_billed_units(slot.meter, POLICY, entry.steps)),
        billed_unit=RULES[POLICY][slot.meter].billed_unit,
        quality=entry.quality,
        basis=entry.basis,
        booked_at=None if booked_ms is None else instant(booked_ms),
    )


def ticks_told(line: Line, timeline: Timeline, first: int, count: int) -> list[Tick]:
    """The line's ticks from number `first` (0 is the earliest), each with the period it is paid in."""
    return [
        Tick(number=number, at=instant(at_ms), period=timeline.holding(at_ms).name)
        for number, at_ms in enumerate(islice(ticks(line), first, first + count), first + 1)
    ]


def ticks_in(line: Line, period: Period, most: int) -> list[Tick]:
    """The line's ticks that are paid in a period: the first ones, if there are more than `most`."""
    every = ((number, at_ms) for number, at_ms in enumerate(ticks(line), 1) if period.start_ms <= at_ms < period.end_ms)
    return [Tick(number=number, at=instant(at_ms), period=period.name) for number, at_ms in islice(every, most)]


def invoice_line(line: InvoiceLine, currency: str, entries: Sequence[Entry]) -> str:
    """How the amount comes about, in a sentence."""
    if line.kind == "base":
        return f"The plan's base for one month: {line.amount} {currency}, whatever is used."
    if line.kind == "credit":
        return f"What the plan pays for models: {line.amount} {currency}, {line.note}."
    meetings = len({entry.slot.meeting_id for entry in entries})
    used = sum(Fraction(entry.steps, RULES[POLICY][entry.slot.meter].per) for entry in entries)
    summed = f"{_count(len(entries), 'entry', 'entries')} of {_count(meetings, 'meeting')}: {text(used)} {line.unit}"
    if line.kind == "correction":
        return f"{summed} of {line.of_period} came to light later; {line.note}: {line.amount} {currency}."
    price = f"{line.unit_price} for {line.per:,}" if line.per > 1 else line.unit_price
    return (
        f"{summed}; {line.allowance} {line.unit} are included, {line.overage} beyond that at {price} "
        f"are {line.amount} {currency}."
    )


def meeting_line(line: Line, events: int, entries: int) -> str:
    """How the steps come about, in a sentence."""
    rule = RULES[POLICY][line.meter]
    billed = decimal_text(in_billed_units(line.meter, POLICY, line.steps))
    unit = "GB" if rule.billed_unit == "gb" else rule.billed_unit
    runs = " and runs still" if line.open else ""
    said = f"{_count(events, 'event')} say {line.quantity:,} {rule.unit} ({line.basis}, {line.quality}){runs}"
    ticked = f"{_count(line.steps, 'tick')} of {rule.step:,} {rule.unit} are {billed} {unit}"
    return f"{said}: {ticked}, in {_count(entries, 'entry', 'entries')}."


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"
