"""What each meeting bears of an invoice: parts that add up to every line, to the cent."""

from collections import OrderedDict, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.billing import InvoiceData, InvoiceLine
from roomscribe_common.contracts.invoices import MeetingShare
from roomscribe_common.contracts.pricing.price_book import MODEL_METERS

from roomscribe_usage_metering.billing import ACCOUNT
from roomscribe_usage_metering.domain.entry import Total
from roomscribe_usage_metering.pricing.allocation import allocate
from roomscribe_usage_metering.pricing.exact import money

_SHARED_BY = "webrtc_participant_minutes"
"""What the base is shared out by: who was longer in a room bears more of it."""

_DRAFT_LASTS_MS = 60_000
"""For so long the pages of a draft are of one moment."""
_MOST_MEETINGS = 100_000
"""Of all invoices that are remembered: some 50 MB."""

Shares = dict[str, dict[str, Decimal]]
"""By meeting and line."""


def shares(lines: Sequence[InvoiceLine], totals: Sequence[Total]) -> Shares:
    """What each meeting bears of each line; nothing of a line without an amount.

    A line is divided by its own use, so the allowance is everybody's in proportion; the base by connection minutes;
    the credit by what the models cost each; a correction by how much more each meeting used, or less.
    """
    found: Shares = {one: {} for one in sorted({total.meeting_id for total in totals})}
    used: dict[tuple[str, str], list[Total]] = defaultdict(list)
    for total in totals:
        used[total.of_period, total.meter].append(total)
    charged: dict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        amount = Decimal(line.amount)
        if not amount or not found:
            continue
        weights = _weights(line, found, used[line.of_period, _SHARED_BY if line.kind == "base" else line.meter])
        if line.kind == "credit":
            weights = {meeting: Fraction(charged[meeting]) for meeting in found}
        for meeting, part in allocate(amount, weights).items():
            if part:
                found[meeting][line.line_id] = part
            if line.kind == "usage" and line.meter in MODEL_METERS:
                charged[meeting] += part
    return found


def _weights(line: InvoiceLine, meetings: Iterable[str], used: Sequence[Total]) -> dict[str, Fraction | int]:
    steps: dict[str, Fraction | int] = dict.fromkeys(meetings, 0)
    for total in used:
        if belongs(line, total):
            steps[total.meeting_id] += total.steps
    return steps


def belongs(line: InvoiceLine, total: Total) -> bool:
    """Whether a sum of entries is part of what the line is of."""
    if total.of_period != line.of_period:
        return False
    if line.kind == "base":
        return total.meter == _SHARED_BY
    return total.meter == line.meter and line.price in (ACCOUNT, total.price)


def share_of(meeting: str, room: str, lines: Mapping[str, Decimal]) -> MeetingShare:
    """A meeting's part as it is told."""
    return MeetingShare(
        meeting_id=meeting,
        room=room,
        amount=money(sum(lines.values(), Decimal(0))),
        lines={line: money(amount) for line, amount in lines.items()},
    )


@dataclass(frozen=True, slots=True)
class Shared:
    """An invoice as it was at a moment, and what each meeting bears of it. `meetings` are sorted."""

    invoice: InvoiceData
    shares: Shares
    meetings: list[str]
    at_ms: int


class Recent:
    """The invoices whose pages were told last: what every meeting bears is worked out once, not for each page."""

    def __init__(self, most_meetings: int = _MOST_MEETINGS) -> None:
        self._most_meetings = most_meetings
        self._kept: OrderedDict[tuple[str, str], Shared] = OrderedDict()

    def get(self, tenant: str, period: str, now_ms: int, *, first_page: bool) -> Shared | None:
        """An issued invoice, which never changes; a draft only for the pages that follow its first."""
        found = self._kept.get((tenant, period))
        if found is None or found.invoice.number is not None:
            return found
        return found if not first_page and now_ms - found.at_ms < _DRAFT_LASTS_MS else None

    def keep(self, tenant: str, period: str, shared: Shared) -> None:
        """Remembers it in place of what was told longest ago; the newest is kept however large it is."""
        self._kept[tenant, period] = shared
        self._kept.move_to_end((tenant, period))
        while len(self._kept) > 1 and sum(len(one.meetings) for one in self._kept.values()) > self._most_meetings:
            self._kept.popitem(last=False)
