"""Commands about invoices: what is on one, why a line is what it is, and how it compares with a forecast."""

from typing import Literal

from pydantic import AwareDatetime

from roomscribe_common.contracts.billing import InvoiceData
from roomscribe_common.contracts.commands import Command
from roomscribe_common.contracts.meeting import RoomName
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.contracts.usage import DecimalText, Meter
from roomscribe_common.ids import Token


class GetInvoice(Command):
    """`command.v1.usage.invoice`: the invoice of a period, or its draft, and a page of what each meeting bears of it.

    `period` is named after the month it begins in, in the tenant's time zone: `2026-11`; None is the one that runs now.
    `after` is the `next_cursor` of the page before.
    """

    tenant: Token
    period: str | None = None
    after: Token | None = None


class MeetingShare(Command):
    """What one meeting bears of the invoice: by line, and in all. Shares of all meetings add up to the total."""

    meeting_id: Token
    room: RoomName
    amount: DecimalText
    lines: dict[str, DecimalText]


class Invoice(Command):
    """An invoice with the credit notes that take back from it."""

    invoice: InvoiceData
    credit_notes: list[InvoiceData] = []
    meetings: list[MeetingShare]
    next_cursor: Token | None = None


class ExplainLine(Command):
    """`command.v1.usage.explain`: where a line comes from.

    `line_id` is one of the invoice, or one of a meeting's ledger (`webrtc:PA_x`) with its `meeting_id`.
    """

    tenant: Token
    line_id: str
    period: str | None = None
    meeting_id: Token | None = None
    after: str | None = None


class BookedEntry(Command):
    """A signed entry of the ledger: whole steps of one line of one meeting. Never changed, only corrected."""

    key: str
    meeting_id: Token
    line_id: str
    meter: Meter
    identity: str = ""
    period: str
    of_period: str
    price: str
    version: int
    corrects: str | None = None
    steps: int
    billed: DecimalText
    billed_unit: Literal["minutes", "gb", "tokens", "characters"]
    quality: Literal["measured", "estimated"] = "measured"
    basis: str
    booked_at: AwareDatetime | None = None
    """None for what would be booked if the period were closed now."""
    ticks_left_out: int = 0
    events_left_out: int = 0
    """How many of the entry's are not in this answer, for it has its bounds; the meeting's line has all of them."""


class Tick(Command):
    """One step of a line: it belongs to the period its instant is in."""

    number: int
    at: AwareDatetime
    period: str
    entry: str | None = None
    """The key of the entry it is in, where an invoice's line is explained."""


class EvidenceSeen(Command):
    """One event the line rests on, as it lies in the evidence. `hash` is its link in the tenant's chain."""

    source: str
    id: str
    kind: str
    fact: dict[str, object]
    stored_at: AwareDatetime
    chain: str
    sequence: int
    hash: str
    entry: str | None = None
    """The key of the entry that rests on it, where an invoice's line is explained."""


class Explained(Command):
    """A page of a line: its entries, their ticks, and the events they rest on."""

    line_id: str
    summary: str
    """The whole in a sentence: how many entries, meetings, ticks, events, and what they add up to."""
    entries: list[BookedEntry] = []
    ticks: list[Tick] = []
    events: list[EvidenceSeen] = []
    next_cursor: str | None = None


class CompareForecast(Command):
    """`command.v1.usage.compare`: an estimate beside what was billed for one meeting, or for a period.

    Without either: the period that runs now.
    """

    tenant: Token
    estimate: EstimateRequest
    period: str | None = None
    meeting_id: Token | None = None


class ForecastCause(Command):
    """An input that was off, and what that did to the total."""

    input: str
    forecast: DecimalText
    actual: DecimalText
    effect: DecimalText


class Comparison(Command):
    """Forecast beside actual. The causes' effects add up to the difference, to the cent; the largest comes first."""

    plan: str
    currency: str
    forecast_total: DecimalText
    actual_total: DecimalText
    difference: DecimalText
    causes: list[ForecastCause]
    final: bool
    """Whether the actual figures can still change."""


class GetForecast(Command):
    """`command.v1.usage.forecast`: what a running period will have cost."""

    tenant: Token
    period: str | None = None
    """The one that runs now, by default."""


class Forecast(Command):
    """Use up to now, and what the rest of the period will add at the days' usual rate, with an 80 % interval."""

    period: str
    currency: str
    as_of: AwareDatetime
    actual: dict[str, DecimalText]
    expected: dict[str, DecimalText]
    actual_total: DecimalText
    expected_total: DecimalText
    low_total: DecimalText
    high_total: DecimalText
    days_of_history: int
