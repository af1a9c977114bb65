"""Points to draw: what each plan costs over the number of meetings."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.options import price


@dataclass(frozen=True, slots=True)
class Point:
    """So many meetings cost that; `serves`: whether the plan can hold so many at once."""

    meetings: int
    total: Decimal
    serves: bool


@dataclass(frozen=True, slots=True)
class Curve:
    """One plan's costs."""

    plan: str
    name: str
    points: tuple[Point, ...]


def cost_curves(plans: Iterable[Plan], request: EstimateRequest, most: int, steps: int = 48) -> list[Curve]:
    """Each plan from 0 to `most` meetings; a curve ends where its plan would refuse."""
    curves = (_curve(plan, request, _counts(most, steps)) for plan in plans)
    return [curve for curve in curves if curve.points]


def line_curves(plan: Plan, request: EstimateRequest, most: int, steps: int = 48) -> list[Curve]:
    """What one plan costs line by line, each as a curve under its meter's name; without what has no price."""
    bills = [(count, price(plan, request.model_copy(update={"meetings": count}))) for count in _counts(most, steps)]
    amounts = {count: {line.meter: line.amount for line in option.bill.lines if line.amount} for count, option in bills}
    meters = dict.fromkeys(meter for found in amounts.values() for meter in found)
    return [
        Curve(meter, meter, tuple(Point(n, amounts[n].get(meter, Decimal(0)), one.serves) for n, one in bills))
        for meter in meters
    ]


def _counts(most: int, steps: int) -> list[int]:
    return sorted({most * step // steps for step in range(steps + 1)})


def _curve(plan: Plan, request: EstimateRequest, counts: list[int]) -> Curve:
    points: list[Point] = []
    for count in counts:
        option = price(plan, request.model_copy(update={"meetings": count}))
        if option.total is None:
            break
        points.append(Point(count, option.total, option.serves))
    return Curve(plan.id, plan.book.name, tuple(points))
