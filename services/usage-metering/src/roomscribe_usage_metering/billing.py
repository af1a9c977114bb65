"""What a period costs, from sums of entries: pure. One rating for drafts, invoices, corrections and credit notes."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from pydantic import BaseModel, ConfigDict
from roomscribe_common.contracts.billing import InvoiceLine
from roomscribe_common.contracts.pricing.price_book import Rate
from roomscribe_common.contracts.usage import Meter

from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.quantise import RULES
from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.exact import dollars, money, text
from roomscribe_usage_metering.pricing.rating import BASE, CREDIT, Charge, RatedLine, rate

_ZERO = Fraction(0)
ACCOUNT = "account"
"""The source of a price that is the account's own."""

PlanOf = Callable[[str], Plan]
"""The plan of a `book@version`."""


class PeriodTerms(BaseModel):
    """What a period is rated on: kept when it is closed, so that a correction is rated as the period was.

    `prices`: from which instant which `book@version` held, in order of time.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    time_zone: str
    prices: tuple[tuple[int, str], ...]
    charges: dict[str, Rate] = {}
    use_model_credit: bool = False


@dataclass(frozen=True, slots=True)
class Used:
    """Steps of a meter at one price, over all meetings of a period; `estimated` if any of it is."""

    of_period: str
    price: str
    meter: Meter
    steps: int
    estimated: bool = False


@dataclass(frozen=True, slots=True)
class Rated:
    """A period's bill: lines that have an amount, and what was used and nobody sells."""

    lines: dict[str, RatedLine]
    unpriced: tuple[RatedLine, ...]
    estimated: frozenset[str]
    """Ids of lines of which any use is estimated."""

    @property
    def total(self) -> Decimal:
        """The sum of the rounded lines."""
        return sum((_amount(line) for line in self.lines.values()), Decimal("0.00"))


def line_id(line: RatedLine) -> str:
    """The same whenever the same period is rated on the same terms."""
    return f"{line.source}:{line.meter}"


def rate_period(terms: PeriodTerms, used: Iterable[Used], plan_of: PlanOf) -> Rated:
    """The bill of a period. The allowances and the base are those of the price that held when the period began; what
    is left of an allowance goes on to the next price."""
    uses = list(used)
    charges = {meter: Charge(price, ACCOUNT) for meter, price in terms.charges.items()}
    by_price: dict[str, dict[str, Fraction]] = {source: {} for _, source in terms.prices}
    for use in uses:
        usage = by_price.setdefault(use.price, {})
        if use.meter not in charges:
            usage[use.meter] = usage.get(use.meter, _ZERO) + quantity(use)
    charged = {meter: sum((quantity(use) for use in uses if use.meter == meter), _ZERO) for meter in charges}
    lines: list[RatedLine] = []
    left: dict[str, Decimal] | None = None
    for source, usage in by_price.items():
        plan = plan_of(source)
        if left is None:
            lines += rate(plan, usage | charged, charges, use_credit=terms.use_model_credit).lines
            left = {meter: one.included for meter, one in plan.terms.rates.items()}
        else:
            lines += [line for line in rate(_with_allowance(plan, left), usage).lines if line.quantity]
        left = {meter: _left(included, usage.get(meter, _ZERO)) for meter, included in left.items()}
    return Rated(
        lines={line_id(line): line for line in lines if line.amount is not None},
        unpriced=tuple(line for line in lines if line.amount is None),
        estimated=frozenset(_line_of(use, charges) for use in uses if use.estimated),
    )


def quantity(use: Used) -> Fraction:
    """Minutes, gigabytes, tokens or characters, exactly."""
    return Fraction(use.steps, RULES[POLICY][use.meter].per)


def _line_of(use: Used, charges: Mapping[str, Charge]) -> str:
    return f"{ACCOUNT if use.meter in charges else use.price}:{use.meter}"


def _left(included: Decimal, used: Fraction) -> Decimal:
    # Whole steps are at most sixtieths: what is left of an allowance is cut to 12 places, in the seller's favour.
    rest = max(_ZERO, Fraction(included) - used)
    return Decimal(rest.numerator * 10**12 // rest.denominator).scaleb(-12)


def _with_allowance(plan: Plan, left: Mapping[str, Decimal]) -> Plan:
    rates = {
        meter: one.model_copy(update={"included": left.get(meter, Decimal(0))})
        for meter, one in plan.terms.rates.items()
    }
    terms = plan.terms.model_copy(update={"rates": rates, "base": Decimal(0), "model_credit": Decimal(0)})
    return Plan(plan.book, terms)


def invoice_lines(rated: Rated, period: str) -> list[InvoiceLine]:
    """The lines of a period's own use."""
    return [_told(line, key in rated.estimated, period) for key, line in rated.lines.items()]


def correction_lines(before: Rated, after: Rated, period: str) -> list[InvoiceLine]:
    """What a period of the past costs more, or less, than was charged for it: rated as a whole, once without and once
    with what came late."""
    found: list[InvoiceLine] = []
    for key in dict.fromkeys([*before.lines, *after.lines]):
        old, new = before.lines.get(key), after.lines.get(key)
        if old != new:
            told = [_told(line, key in after.estimated, period) for line in (old, new) if line is not None]
            found.append(_difference(told[-1], old, new))
    return found


def _difference(told: InvoiceLine, old: RatedLine | None, new: RatedLine | None) -> InvoiceLine:
    def change(of: Callable[[RatedLine], Fraction | Decimal]) -> Fraction:
        return Fraction(of(new) if new else 0) - Fraction(of(old) if old else 0)

    amounts = [dollars(_amount(line)) if line else "0.00" for line in (old, new)]
    return told.model_copy(
        update={
            "line_id": f"correction:{told.of_period}:{told.line_id}",
            "kind": "correction",
            "quantity": text(change(lambda line: line.quantity)),
            "allowance": text(change(lambda line: line.allowance)),
            "overage": text(change(lambda line: line.overage)),
            "amount": money(change(_amount)),
            "note": f"late evidence: {amounts[0]} was charged, {amounts[1]} is due",
        }
    )


def _told(line: RatedLine, estimated: bool, period: str) -> InvoiceLine:
    kinds = {BASE: "base", CREDIT: "credit"}
    return InvoiceLine.model_validate(
        {
            "line_id": line_id(line),
            "kind": kinds.get(line.meter, "usage"),
            "meter": line.meter,
            "description": DESCRIPTIONS.get(line.meter, line.meter.replace("_", " ").capitalize()),
            "of_period": period,
            "price": line.source,
            "unit": line.unit,
            "quantity": text(line.quantity),
            "allowance": text(line.allowance),
            "overage": text(line.overage),
            "unit_price": text(line.unit_price or 0),
            "per": line.per,
            "amount": money(_amount(line)),
            "quality": "estimated" if estimated else "measured",
            "note": line.note,
        }
    )


DESCRIPTIONS = {
    BASE: "Base of the plan",
    CREDIT: "Credit for models",
    "webrtc_participant_minutes": "Connections of people and agents",
    "agent_session_minutes": "Sessions of agents",
    "downstream_gb": "Data sent to participants",
    "stt_audio_minutes": "Speech to text",
    "tts_characters": "Text to speech",
    "llm_input_tokens": "Model input, not cached",
    "llm_cached_input_tokens": "Model input, cached",
    "llm_output_tokens": "Model output",
    "transcode_minutes": "Recording, transcoded",
    "track_egress_minutes": "Recording, single tracks",
}


def _amount(line: RatedLine) -> Decimal:
    return line.amount if line.amount is not None else Decimal(0)


def notes(rated: Rated, terms: PeriodTerms, plan_of: PlanOf) -> Iterator[str]:
    """What a reader of the invoice must know: what was used and is not charged, and where the prices come from."""
    for line in rated.unpriced:
        used = f"{text(line.quantity)} {line.unit} of {DESCRIPTIONS.get(line.meter, line.meter).lower()}"
        if line.allowance:
            yield f"{used}: {line.source} includes {text(line.allowance)} and sells nothing beyond; not charged."
        else:
            yield f"{used}: used at no charge; neither {line.source} nor the account has a price for it."
    for source in dict.fromkeys(source for _, source in terms.prices):
        yield f"Prices of {source}: {plan_of(source).book.source.text}"


def merged(uses: Sequence[Used]) -> list[Used]:
    """The same with one row for each period, price and meter."""
    sums: dict[tuple[str, str, Meter], tuple[int, bool]] = {}
    for use in uses:
        key = use.of_period, use.price, use.meter
        steps, estimated = sums.get(key, (0, False))
        sums[key] = steps + use.steps, estimated or use.estimated
    return [Used(*key, *value) for key, value in sums.items()]
