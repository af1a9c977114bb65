"""What each meeting bears of an invoice: parts that add up to every line, to the cent. Pure."""

from collections import defaultdict
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.billing import InvoiceLine
from roomscribe_common.contracts.pricing.price_book import MODEL_METERS

from roomscribe_usage_metering.billing import ACCOUNT
from roomscribe_usage_metering.domain.entry import Total
from roomscribe_usage_metering.pricing.allocation import allocate

_SHARED_BY = "webrtc_participant_minutes"
"""What the base is shared out by: who was longer in a room bears more of it."""

Shares = dict[str, dict[str, Decimal]]
"""By meeting and line."""


def shares(lines: Sequence[InvoiceLine], totals: Sequence[Total]) -> Shares:
    """What each meeting bears of each line; nothing of a line without an amount.

    A line is divided by its own use, so the allowance is everybody's in proportion; the base by connection minutes;
    the credit by what the models cost each; a correction by how much more each meeting used, or less.
    """
    found: Shares = {one: {} for one in sorted({total.meeting_id for total in totals})}
    charged: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        amount = Decimal(line.amount)
        if not amount or not found:
            continue
        weights = dict.fromkeys(found, Fraction(0)) | _weights(line, totals)
        if line.kind == "credit":
            weights = {meeting: Fraction(charged[meeting]) for meeting in found}
        for meeting, part in allocate(amount, weights).items():
            if part:
                found[meeting][line.line_id] = part
            if line.kind == "usage" and line.meter in MODEL_METERS:
                charged[meeting] += part
    return found


def _weights(line: InvoiceLine, totals: Sequence[Total]) -> dict[str, Fraction]:
    steps: dict[str, int] = defaultdict(int)
    for total in totals:
        if belongs(line, total):
            steps[total.meeting_id] += total.steps
    return {meeting: Fraction(count) for meeting, count in steps.items()}


def belongs(line: InvoiceLine, total: Total) -> bool:
    """Whether a sum of entries is part of what the line is of."""
    if total.of_period != line.of_period:
        return False
    if line.kind == "base":
        return total.meter == _SHARED_BY
    return total.meter == line.meter and line.price in (ACCOUNT, total.price)
