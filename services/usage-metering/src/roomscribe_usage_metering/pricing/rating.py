"""The one function that prices: terms and quantities in, lines out. Bills, estimates and what-ifs all come through."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.price_book import METERS, MODEL_METERS, Rate, known_meter

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.exact import cents, text

BASE = "plan_base"
CREDIT = "model_credit"
OWN_AGENTS = "own_agents"
REQUEST = "request"
"""The source of a price that the request gives."""
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class RatedLine:
    """`overage` units at `unit_price` for each `per` are `exact`, rounded once `amount`; None without a price."""

    meter: str
    unit: str
    quantity: Fraction
    allowance: Fraction
    unit_price: Decimal | None
    per: int
    source: str
    note: str = ""

    @property
    def overage(self) -> Fraction:
        """What is beyond the allowance."""
        return max(_ZERO, self.quantity - self.allowance)

    @property
    def exact(self) -> Fraction | None:
        """The amount before it is rounded; None if there is something to pay and no price for it."""
        if self.unit_price is None:
            return None if self.overage else _ZERO
        return self.overage * Fraction(self.unit_price) / self.per

    @property
    def amount(self) -> Decimal | None:
        """The amount in cents."""
        return None if self.exact is None else cents(self.exact)


@dataclass(frozen=True, slots=True)
class Charge:
    """A price that is not the plan's: what a model costs, or machines of one's own."""

    rate: Rate
    source: str = REQUEST


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines in one currency. `over_cap`: meters that a hard cap refuses; `unpriced`: those nobody has a price for."""

    plan: Plan
    lines: tuple[RatedLine, ...]

    @property
    def currency(self) -> str:
        """The book's."""
        return self.plan.book.currency

    @property
    def by_contract(self) -> bool:
        """Whether the plan has no published price at all."""
        return self.plan.terms.base is None

    @property
    def over_cap(self) -> tuple[RatedLine, ...]:
        """What the plan would refuse."""
        return tuple(line for line in self.unpriced if self.plan.terms.hard_cap and line.source == self.plan.source)

    @property
    def unpriced(self) -> tuple[RatedLine, ...]:
        """Lines that cannot be charged."""
        return tuple(line for line in self.lines if line.amount is None)

    @property
    def total(self) -> Decimal:
        """The sum of the rounded lines, without those that have no price."""
        return sum((line.amount for line in self.lines if line.amount is not None), Decimal("0.00"))

    @property
    def exact(self) -> Fraction:
        """The sum before rounding: for finding where two plans cost the same."""
        return sum((line.exact for line in self.lines if line.exact is not None), _ZERO)


def rate(
    plan: Plan, usage: Mapping[str, Fraction], charges: Mapping[str, Charge] | None = None, *, use_credit: bool = False
) -> Bill:
    """The bill of a month. What is in `charges` is priced by that, all else by the plan; a meter neither knows has no
    price. Raises `ValueError` for a negative quantity or an unknown meter."""
    extra = charges or {}
    for meter, quantity in usage.items():
        if meter not in extra:
            known_meter(meter)
        if quantity < 0:
            raise ValueError(f"{meter} must be 0 or more; it is {text(quantity)}")
    priced = [meter for meter in plan.terms.rates if meter not in extra]
    others = [meter for meter in METERS if meter in usage and meter not in priced and meter not in extra]
    lines = [_base(plan)] if plan.terms.base else []
    lines += [_line(plan, meter, usage.get(meter, _ZERO)) for meter in (*priced, *others)]
    lines += [_charge(meter, charge, usage.get(meter, _ZERO)) for meter, charge in extra.items()]
    if use_credit and (credit := _credit(plan, lines)):
        lines.append(credit)
    shown = [line for line in lines if line.quantity or line.meter in _ALWAYS.get(plan.book.kind, ())]
    return Bill(plan, tuple(shown))


_ALWAYS = {"livekit-cloud": ("webrtc_participant_minutes", "agent_session_minutes")}
"""Lines that are shown even if nothing was used."""


def _base(plan: Plan) -> RatedLine:
    one = Fraction(1)
    return RatedLine(BASE, "month", one, _ZERO, plan.terms.base, 1, plan.source, "; ".join(plan.terms.notes[:1]))


def _line(plan: Plan, meter: str, quantity: Fraction) -> RatedLine:
    priced = plan.terms.rates.get(meter, Rate())
    included = Fraction(priced.included)
    return RatedLine(meter, METERS[meter], quantity, included, priced.unit_price, priced.per, plan.source, priced.note)


def _charge(meter: str, charge: Charge, quantity: Fraction) -> RatedLine:
    price, unit = charge.rate, METERS.get(meter, "month")
    included = Fraction(price.included)
    return RatedLine(meter, unit, quantity, included, price.unit_price, price.per, charge.source, price.note)


def _credit(plan: Plan, lines: list[RatedLine]) -> RatedLine | None:
    models = sum((line.amount for line in lines if line.meter in MODEL_METERS and line.amount), Decimal(0))
    used = min(plan.terms.model_credit, models)
    if not used:
        return None
    note = f"of {text(plan.terms.model_credit)} for models run through the plan's own inference"
    return RatedLine(CREDIT, plan.book.currency, Fraction(used), _ZERO, Decimal(-1), 1, plan.source, note)
