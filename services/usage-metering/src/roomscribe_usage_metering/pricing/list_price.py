"""What was used at list price beyond allowances: the marginal cost of a meeting, whoever has used the allowances up."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.price_book import PriceBook, Rate, Version
from roomscribe_common.contracts.usage import CostEstimate, CostLine

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.exact import money, text
from roomscribe_usage_metering.pricing.rating import Charge, rate

_STT = Rate(
    unit_price=Decimal("0.006"),
    note="hosted speech-to-text at $0.006 a minute of audio; the embedded engine costs nothing",
)
_NOTES = (
    "Beyond allowances: the minutes, gigabytes and credits a plan includes, and its base price, are left out.",
    "Downstream bandwidth is estimated where nobody counted it: the ledger's lines say so.",
    "Language-model tokens are left out: their price depends on the model.",
    "Speech-to-text is priced by audio sent while people spoke; LiveKit Inference meters the time of a connection.",
)


def at_list_price(book: PriceBook, day: date, usage: Mapping[str, Fraction]) -> CostEstimate | None:
    """The price of what was used on that day; None if the book has no prices for it. The total is the sum of lines
    rounded to cents, each once."""
    terms = book.on(day)
    if terms is None:
        return None
    bill = rate(Plan(book, beyond_allowances(terms)), usage, {"stt_audio_minutes": Charge(_STT)})
    lines = [
        CostLine(
            meter=line.meter,
            quantity=text(line.quantity),
            unit_price=text(line.unit_price),
            amount=money(line.amount),
            exact=text(line.exact),
            note=line.note,
        )
        for line in bill.lines
        if line.unit_price is not None and line.amount is not None and line.exact is not None
    ]
    return CostEstimate(
        book=book.id,
        version=terms.version,
        currency=book.currency,
        lines=lines,
        total=money(bill.total),
        notes=[f"Prices: {book.source.text}", *_NOTES],
    )


def beyond_allowances(terms: Version) -> Version:
    """The prices alone: nothing included, no base."""
    rates = {meter: one.model_copy(update={"included": Decimal(0)}) for meter, one in terms.rates.items()}
    return terms.model_copy(update={"rates": rates, "base": Decimal(0)})
