"""What the lines would cost at list price. Decimal throughout; nothing is rounded but the 12th place."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from roomscribe_common.contracts.usage import CostEstimate, CostLine, Meter

from roomscribe_usage_metering.domain.quantise import decimal_text

_PLACES = Decimal("1e-12")


@dataclass(frozen=True, slots=True)
class Price:
    """The price of one billed unit of a meter, and what it means."""

    unit_price: Decimal
    note: str


@dataclass(frozen=True, slots=True)
class PriceBook:
    """List prices beyond allowances, with where and when they were read."""

    name: str
    currency: str
    prices: Mapping[Meter, Price]
    notes: tuple[str, ...]


def estimate(book: PriceBook, totals: Mapping[str, str]) -> CostEstimate:
    """The cost of billed quantities by meter. The total is the exact sum of its lines."""
    lines: list[CostLine] = []
    total = Decimal(0)
    for meter, price in book.prices.items():
        quantity = Decimal(totals.get(meter, "0"))
        amount = (quantity * price.unit_price).quantize(_PLACES)
        total += amount
        lines.append(
            CostLine(
                meter=meter,
                quantity=decimal_text(quantity),
                unit_price=decimal_text(price.unit_price),
                amount=decimal_text(amount),
                note=price.note,
            )
        )
    return CostEstimate(
        book=book.name, currency=book.currency, lines=lines, total=decimal_text(total), notes=[*book.notes]
    )
