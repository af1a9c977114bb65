"""Invoice lines, and what each meeting bears of them. Storing and issuing invoices is not done here."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.price_book import MODEL_METERS

from roomscribe_usage_metering.pricing.allocation import allocate
from roomscribe_usage_metering.pricing.rating import BASE, CREDIT, Bill, RatedLine

_ZERO = Fraction(0)
_SHARED_BY = "webrtc_participant_minutes"
"""What the base is shared out by: who was longer in a room bears more of it."""


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """A rated line under an id that is the same whenever the same month is rated on the same terms."""

    line_id: str
    rated: RatedLine
    amount: Decimal


def invoice_lines(bill: Bill) -> tuple[InvoiceLine, ...]:
    """The lines of an invoice. Raises `ValueError` if one has no price: such a month cannot be invoiced."""
    lines: list[InvoiceLine] = []
    for line in bill.lines:
        if line.amount is None:
            raise ValueError(f"{line.meter} has no price in {bill.plan.source}: the month cannot be invoiced")
        lines.append(InvoiceLine(f"{line.source}:{line.meter}", line, line.amount))
    return tuple(lines)


def allocate_to_meetings(
    lines: tuple[InvoiceLine, ...], meetings: Mapping[str, Mapping[str, Fraction]]
) -> dict[str, dict[str, Decimal]]:
    """What each meeting bears of each line, by meeting and line id. Parts add up to the line, hence to the invoice.

    A line is divided by its own meter, so the allowance is everybody's in proportion; the base by connection minutes;
    the credit by what the models cost each.
    """
    shares = {meeting: dict[str, Decimal]() for meeting in meetings}
    charged: dict[str, Decimal] = dict.fromkeys(meetings, Decimal(0))
    for line in lines:
        weights = {meeting: _weight(line.rated.meter, usage) for meeting, usage in meetings.items()}
        if line.rated.meter == CREDIT:
            weights = {meeting: Fraction(amount) for meeting, amount in charged.items()}
        for meeting, part in allocate(line.amount, weights).items():
            shares[meeting][line.line_id] = part
            if line.rated.meter in MODEL_METERS:
                charged[meeting] += part
    return shares


def _weight(meter: str, usage: Mapping[str, Fraction]) -> Fraction:
    return usage.get(_SHARED_BY if meter == BASE else meter, _ZERO)
