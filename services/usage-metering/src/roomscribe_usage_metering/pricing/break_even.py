"""Where two plans cost the same: exactly, for the cost of a hosted plan is a straight line between few corners."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction

from roomscribe_common.contracts.pricing.estimate import BreakEven, BuildOrBuy, MeterBreakEven
from roomscribe_common.contracts.pricing.price_book import METERS, MODEL_METERS
from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.exact import ceil, dollars, money, text
from roomscribe_usage_metering.pricing.options import Option, price
from roomscribe_usage_metering.pricing.rating import rate
from roomscribe_usage_metering.pricing.workload import workload

_ZERO = Fraction(0)
_MOST_MEETINGS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """The cost over a quantity, and the quantities at which its slope changes."""

    cost: Callable[[Fraction], Fraction]
    corners: tuple[Fraction, ...]


def crossings(first: Line, second: Line) -> Iterator[tuple[Fraction, int]]:
    """Each quantity above 0 at which the two begin to cost the same or change places, and the sign of first − second
    just before it."""
    corners = sorted({_ZERO, *first.corners, *second.corners})
    points = [*corners, corners[-1] + 1]
    gaps = [first.cost(x) - second.cost(x) for x in points]
    slope, before = gaps[-1] - gaps[-2], _sign(gaps[0])
    for start, end, left, right in zip(points, points[1:], gaps, gaps[1:], strict=False):
        if _sign(right) != before and before:
            yield start + (end - start) * left / (left - right), before
        before = _sign(right)
    if before and slope and _sign(slope) != before:
        yield points[-1] - gaps[-1] / slope, before


def _sign(value: Fraction) -> int:
    return (value > 0) - (value < 0)


def over_meetings(plan: Plan, request: EstimateRequest) -> Line:
    """The plan's cost over the number of meetings."""
    work = workload(plan.book.kind, request)

    def cost(meetings: Fraction) -> Fraction:
        return rate(plan, work.of(meetings), work.charges, use_credit=request.use_model_credit).exact

    corners = [
        (Fraction(priced.included) - work.fixed.get(meter, _ZERO)) / work.each[meter]
        for meter, priced in plan.terms.rates.items()
        if priced.included and work.each.get(meter) and meter not in work.charges
    ]
    if request.use_model_credit and plan.terms.model_credit:
        models = {m: q for m, q in work.of(1).items() if m in MODEL_METERS}
        a_meeting = rate(plan, models, work.charges).exact - rate(plan, {}, work.charges).exact
        corners += [Fraction(plan.terms.model_credit) / a_meeting] if a_meeting else []
    return Line(cost, tuple(corner for corner in corners if corner > 0))


def over_meter(plan: Plan, meter: str) -> Line:
    """The plan's cost over one meter, nothing else being used."""
    included = Fraction(plan.terms.rates[meter].included)
    return Line(lambda quantity: rate(plan, {meter: quantity}).exact, (included,) if included else ())


def by_meetings(chosen: Option, others: Iterable[Plan]) -> list[BreakEven]:
    """Where the chosen plan and each other change places, by number of meetings."""
    found: list[BreakEven] = []
    request, line = chosen.request, over_meetings(chosen.plan, chosen.request)
    for other in others:
        for at, sign in crossings(line, over_meetings(other, request)):
            count = ceil(at)
            if count <= _MOST_MEETINGS:
                below, above = (other, chosen.plan) if sign > 0 else (chosen.plan, other)
                found.append(_break_even(below, above, request.model_copy(update={"meetings": count})))
    return sorted(found, key=lambda one: (one.meetings, one.below, one.above))


def _break_even(below: Plan, above: Plan, request: EstimateRequest) -> BreakEven:
    lower, upper = price(below, request), price(above, request)
    limits = [*lower.why_not, *upper.why_not]
    text_ = f"from {request.meetings:,} meetings a month {above.book.name} costs no more than {below.book.name}"
    return BreakEven(
        below=below.id,
        above=above.id,
        meetings=request.meetings,
        total=money(upper.bill.total),
        serves=not limits,
        text="; but ".join([text_, *limits]),
    )


def nearest(found: list[BreakEven], meetings: int) -> BreakEven | None:
    """The next one above that both plans can serve; if there is none, the next below."""
    found = [one for one in found if one.serves]
    above = [one for one in found if one.meetings > meetings]
    return above[0] if above else (found[-1] if found else None)


def by_meter(plan: Plan, others: Iterable[Plan]) -> list[MeterBreakEven]:
    """Where the plan and each other cost the same if only one meter is used."""
    found: list[MeterBreakEven] = []
    for other in others:
        for meter in plan.terms.rates:
            if _sold(plan, meter) and _sold(other, meter):
                line = over_meter(plan, meter)
                for at, _ in crossings(line, over_meter(other, meter)):
                    pair, total = sorted((plan.id, other.id)), money(line.cost(at))
                    unit = METERS[meter]
                    one = MeterBreakEven(meter=meter, unit=unit, plans=pair, quantity=text(at), total=total)
                    found.append(one)
    return found


def _sold(plan: Plan, meter: str) -> bool:
    return meter in plan.terms.rates and plan.terms.rates[meter].unit_price is not None


def pay_back(options: Iterable[tuple[Option, Fraction]], buy: Option) -> list[BuildOrBuy]:
    """After how many months each option's effort is paid back by not buying."""
    return [_paid_back(option, effort, buy) for option, effort in options if option.total is not None]


def _paid_back(option: Option, effort: Fraction, buy: Option) -> BuildOrBuy:
    monthly, buying = option.bill.total, buy.bill.total
    saved = Fraction(buying - monthly)
    title = option.plan.book.name + (" with own agents" if option.request.agents_on == "own" else "")
    months = None if saved <= 0 else text(effort / saved, 1)
    if months is None:
        why = f"never: {title} costs {dollars(-saved)} a month more than {buy.plan.book.name}"
    else:
        why = (
            f"{dollars(effort)} once, {dollars(saved)} saved each month: paid back after {ceil(effort / saved)} months"
        )
    if not option.serves:
        why += "; but " + "; ".join(option.why_not)
    return BuildOrBuy(
        option=option.plan.id + ("+own-agents" if option.request.agents_on == "own" else ""),
        effort=money(effort),
        monthly=money(monthly),
        buy=buy.plan.id,
        buy_monthly=money(buying),
        months=months,
        text=why,
    )
