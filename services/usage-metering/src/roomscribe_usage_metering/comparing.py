"""`command.v1.usage.compare`: an estimate beside what was billed, and which input was off."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.invoices import CompareForecast, Comparison, ForecastCause
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import reading
from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.billing import ACCOUNT
from roomscribe_usage_metering.domain.evidence import MeetingKey
from roomscribe_usage_metering.domain.ledger import derive, quantities
from roomscribe_usage_metering.domain.lines import POLICY
from roomscribe_usage_metering.domain.quantise import RULES
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.actual import Actual, Cause, compare
from roomscribe_usage_metering.pricing.books import Books, Plan
from roomscribe_usage_metering.pricing.exact import money, text
from roomscribe_usage_metering.pricing.list_price import beyond_allowances
from roomscribe_usage_metering.pricing.rating import Charge, rate
from roomscribe_usage_metering.pricing.refusals import refused
from roomscribe_usage_metering.pricing.workload import Quantities, workload

_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Billed:
    """What really was: the use, on which plan and at which other prices, and the money. `final` if it cannot change."""

    plan: Plan
    charges: Mapping[str, Charge]
    use_credit: bool
    actual: Actual
    total: Decimal
    day: date
    final: bool


class Comparing:
    """Compares for tenants of one database."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, invoicing: Invoicing, books: Books) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._invoicing = invoicing
        self._books = books

    async def compare(self, command: CompareForecast, now_ms: int) -> Comparison:
        """The answer. Raises `ProblemError` (422, 404)."""
        if command.period is not None and command.meeting_id is not None:
            raise refused("period", "give a period or a meeting_id, not both")
        books = self._books if command.estimate.book is None else self._books.with_book(command.estimate.book)
        known = [book.id for book in books]
        if command.estimate.plan not in (None, *known):
            raise refused("plan", f"unknown plan {command.estimate.plan!r}; the plans are {', '.join(known)}")
        async with snapshot(self._engine) as connection:
            if command.meeting_id is not None:
                key = MeetingKey(command.tenant, command.meeting_id)
                billed = await connection.run_sync(self._meeting, key)
            else:
                billed = await connection.run_sync(self._period, command.tenant, command.period, now_ms)
        request, plan = command.estimate, _plan(books, command.estimate, billed)
        if command.meeting_id is not None:
            request, plan = request.model_copy(update={"meetings": 1}), alone(plan)
        return comparison(plan, request, billed)

    def _period(self, connection: Connection, tenant: str, asked: str | None, now_ms: int) -> Billed:
        timeline = self._tariffs.timeline(connection, tenant)
        period = timeline.holding(now_ms) if asked is None else timeline.named(asked)
        name = period.name
        documents = self._invoicing.read(connection, tenant, name, now_ms)
        terms = self._tariffs.terms(connection, tenant, period, timeline)
        own = [one for one in documents.totals if one.of_period == name]
        usage: Quantities = {}
        for one in own:
            usage[one.meter] = usage.get(one.meter, _ZERO) + Fraction(one.steps, RULES[POLICY][one.meter].per)
        return Billed(
            plan=self._tariffs.plans(connection)(terms.prices[0][1]),
            charges={meter: Charge(price, ACCOUNT) for meter, price in terms.charges.items()},
            use_credit=terms.use_model_credit,
            actual=Actual(len({one.meeting_id for one in own}), usage),
            total=Decimal(documents.invoice.total),
            day=timeline.calendar.day(period.start_ms),
            final=timeline.is_closed(name),
        )

    def _meeting(self, connection: Connection, key: MeetingKey) -> Billed:
        """One meeting at the prices alone: what it added to the bill of somebody whose allowances are used up."""
        known = reading.read(connection, key)
        if known is None:
            detail = f"no usage is known of a meeting {key.meeting_id}"
            raise ProblemError.of("no-such-meeting", 404, "No such meeting", detail)
        ledger = derive(key, known.evidence, known.neighbours)
        account, timeline = self._tariffs.account(key.tenant), self._tariffs.timeline(connection, key.tenant)
        began_ms = min((line.start_ms for line in ledger.lines), default=0)
        [span, *_] = timeline.spans(began_ms, began_ms + 1)
        plan = alone(self._tariffs.plans(connection)(span.price))
        usage = {meter: amount for meter, amount in quantities(ledger.lines).items() if amount}
        charges = account.rated_charges
        return Billed(
            plan=plan,
            charges=charges,
            use_credit=False,
            actual=Actual(1, usage),
            total=rate(plan, usage, charges).total,
            day=timeline.calendar.day(began_ms),
            final=known.meeting.closed_digest == ledger.digest,
        )


def _plan(books: Books, request: EstimateRequest, billed: Billed) -> Plan:
    """The estimate's plan, at the prices of the day it gives or of the first day that was billed."""
    if request.plan is None:
        return billed.plan
    plan = books.of_source(books.source_on(request.plan, request.on or billed.day))
    assert plan is not None
    if plan.book.currency != billed.plan.book.currency:
        limit = f"the bill is in {billed.plan.book.currency}, and {plan.id} is priced in {plan.book.currency}"
        raise refused("plan", limit)
    return plan


def alone(plan: Plan) -> Plan:
    """The plan's prices without what it includes, and without its base."""
    return Plan(plan.book, beyond_allowances(plan.terms))


def comparison(plan: Plan, request: EstimateRequest, billed: Billed) -> Comparison:
    """The estimate on its plan beside what was billed.

    What was used takes the estimate's place first, input by input; then the prices that were billed; then the plan.
    What is left is what an estimate knows nothing of: corrections, credits, a price that changed in the period.
    """
    found = compare(plan, request, billed.actual)
    causes = [*found.causes]
    charges, total = dict(workload(plan.book.kind, request).charges), found.actual.total

    def step(name: str, before: Fraction, after: Fraction, on: Plan) -> None:
        nonlocal total
        now = rate(on, billed.actual.usage, charges, use_credit=request.use_model_credit).total
        if now != total:
            causes.append(Cause(name, before, after, now - total))
        total = now

    for meter in sorted({*charges, *billed.charges}):
        before = _price(charges.pop(meter, None), plan, meter)
        if meter in billed.charges:
            charges[meter] = billed.charges[meter]
        step(f"price of {meter}", before, _price(charges.get(meter), plan, meter), plan)
    if plan != billed.plan:
        bases = [Fraction(one.terms.base or 0) for one in (plan, billed.plan)]
        step(f"{billed.plan.source} instead of {plan.source}", bases[0], bases[1], billed.plan)
    if billed.total != total:
        rest = billed.total - total
        causes.append(Cause("corrections, credits and prices that changed", _ZERO, Fraction(rest), rest))
    return Comparison(
        plan=plan.id,
        currency=billed.plan.book.currency,
        forecast_total=money(found.forecast.total),
        actual_total=money(billed.total),
        difference=money(billed.total - found.forecast.total),
        causes=[_told(one) for one in sorted(causes, key=lambda cause: (-abs(cause.effect), cause.input))],
        final=billed.final,
    )


def _price(charge: Charge | None, plan: Plan, meter: str) -> Fraction:
    price = charge.rate if charge is not None else plan.terms.rates.get(meter)
    return Fraction(price.unit_price or 0) / price.per if price is not None else _ZERO


def _told(cause: Cause) -> ForecastCause:
    return ForecastCause(
        input=cause.input,
        forecast=text(cause.forecast),
        actual=text(cause.actual),
        effect=money(cause.effect),
    )
