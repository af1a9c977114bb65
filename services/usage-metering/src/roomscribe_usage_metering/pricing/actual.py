"""What was forecast against what was billed, and which input was off by how much."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.pricing.request import EstimateRequest

from roomscribe_usage_metering.pricing.books import Plan
from roomscribe_usage_metering.pricing.rating import Bill, rate
from roomscribe_usage_metering.pricing.workload import Quantities, workload

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Actual:
    """What a month, or one meeting, really used: billed quantities by meter, and how many meetings there were."""

    meetings: int
    usage: Quantities


@dataclass(frozen=True, slots=True)
class Cause:
    """One input, as forecast and as it was, and what the difference did to the total."""

    input: str
    forecast: Fraction
    actual: Fraction
    effect: Decimal


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both bills. The effects of the causes add up to the difference, to the cent."""

    forecast: Bill
    actual: Bill
    causes: tuple[Cause, ...]

    @property
    def difference(self) -> Decimal:
        """What was billed more than forecast."""
        return self.actual.total - self.forecast.total


def compare(plan: Plan, request: EstimateRequest, actual: Actual) -> Comparison:
    """Puts the actual figures in the forecast's place one after the other: the number of meetings, then what each
    meeting used of every meter. Each step's effect is the difference it makes, so nothing is left unexplained."""
    work = workload(plan.book.kind, request)
    meters = sorted({*work.of(1), *actual.usage})

    def bill(usage: Quantities) -> Bill:
        return rate(plan, usage, work.charges, use_credit=request.use_model_credit)

    usage = work.of(request.meetings)
    forecast = before = bill(usage)
    causes: list[Cause] = []
    usage = work.of(actual.meetings)
    after = bill(usage)
    effect = after.total - before.total
    causes.append(Cause("meetings", Fraction(request.meetings), Fraction(actual.meetings), effect))
    for meter in meters:
        expected, found = usage.get(meter, _ZERO), actual.usage.get(meter, _ZERO)
        if expected != found:
            before, usage = after, {**usage, meter: found}
            after = bill(usage)
            each = actual.meetings or 1
            causes.append(Cause(f"{meter} of a meeting", expected / each, found / each, after.total - before.total))
    return Comparison(forecast, after, tuple(cause for cause in causes if cause.forecast != cause.actual))
