"""`command.v1.usage.forecast`: what a running period will have cost."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

from roomscribe_common.contracts.invoices import Forecast, GetForecast
from roomscribe_common.contracts.usage import Meter
from sqlalchemy import Connection, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters.database import snapshot
from roomscribe_usage_metering.adapters.schema import ENTRY, MEETING
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.billing import Used, merged, rate_period
from roomscribe_usage_metering.domain.lines import POLICY, instant
from roomscribe_usage_metering.domain.periods import Calendar, Period
from roomscribe_usage_metering.domain.quantise import METERS, RULES
from roomscribe_usage_metering.forecast import HISTORY_DAYS, Outlook, days_of_history, outlook
from roomscribe_usage_metering.invoicing import Invoicing
from roomscribe_usage_metering.pricing.exact import money, text
from roomscribe_usage_metering.pricing.exact import whole as rounded
from roomscribe_usage_metering.pricing.refusals import refused

_HOUR_MS = 3_600_000
Steps = dict[Meter, int]
History = Mapping[Meter, Mapping[date, int]]


@dataclass(frozen=True, slots=True)
class Expected:
    """A period up to now, and as it will have been: `used` and `will_be` in steps, money with all its lines."""

    period: Period
    currency: str
    used: Steps
    will_be: Steps
    total: Decimal
    expected: Decimal
    low: Decimal
    high: Decimal
    days: int


class Forecasts:
    """Forecasts for tenants of one database."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, invoicing: Invoicing) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._invoicing = invoicing

    async def forecast(self, command: GetForecast, now_ms: int) -> Forecast:
        """The answer. Raises `ProblemError` (422) for a period that has not begun, or is closed."""
        found = await self.expected(command.tenant, now_ms, command.period)
        return Forecast(
            period=found.period.name,
            currency=found.currency,
            as_of=instant(now_ms),
            actual=_quantities(found.used),
            expected=_quantities(found.will_be),
            actual_total=money(found.total),
            expected_total=money(found.expected),
            low_total=money(found.low),
            high_total=money(found.high),
            days_of_history=found.days,
        )

    async def expected(self, tenant: str, now_ms: int, name: str | None = None) -> Expected:
        """The period that runs, or the one of that name. Raises `ProblemError` (422)."""
        async with snapshot(self._engine) as connection:
            return await connection.run_sync(self._expected, tenant, now_ms, name)

    def _expected(self, connection: Connection, tenant: str, now_ms: int, name: str | None) -> Expected:
        timeline = self._tariffs.timeline(connection, tenant)
        running = timeline.holding(now_ms)
        period = running if name is None else timeline.named(name)
        if timeline.is_closed(period.name):
            raise refused("period", f"{period.name} is closed: its invoice says what it cost")
        if period.start_ms > now_ms:
            raise refused("period", f"{period.name} has not begun; the period that runs is {running.name}")
        documents = self._invoicing.documents(connection, tenant, period, now_ms)
        own = [one for one in documents.totals if one.of_period == period.name]
        used = merged([Used(one.of_period, one.price, one.meter, one.steps) for one in own])
        history = _history(connection, tenant, timeline.calendar, now_ms)
        added = _added(history, timeline.calendar, period, now_ms)
        terms, plan_of = self._tariffs.terms(connection, tenant, period, timeline), self._tariffs.plans(connection)
        # What is to come is rated at the price that holds now.
        price = [source for from_ms, source in terms.prices if from_ms <= max(now_ms, period.start_ms)][-1]
        before = rate_period(terms, used, plan_of).total
        total = Decimal(documents.invoice.total)

        def with_more(more: Mapping[Meter, Fraction]) -> Decimal:
            rest = [Used(period.name, price, meter, int(rounded(steps))) for meter, steps in more.items()]
            return total + rate_period(terms, merged([*used, *rest]), plan_of).total - before

        steps = _sums(used)
        return Expected(
            period=period,
            currency=documents.invoice.currency,
            used=steps,
            will_be={meter: steps[meter] + int(rounded(added[meter].expected)) for meter in METERS},
            total=total,
            expected=with_more({meter: one.expected for meter, one in added.items()}),
            low=with_more({meter: one.low for meter, one in added.items()}),
            high=with_more({meter: one.high for meter, one in added.items()}),
            days=days_of_history(_all(history), timeline.calendar.day(now_ms)),
        )


def _added(
    history: Mapping[Meter, Mapping[date, int]], calendar: Calendar, period: Period, now_ms: int
) -> dict[Meter, Outlook]:
    today, last_day = calendar.day(now_ms), calendar.day(period.end_ms - 1)
    midnight, next_midnight = calendar.midnight(today), calendar.midnight(today + timedelta(days=1))
    left = Fraction(next_midnight - now_ms, next_midnight - midnight)
    first = min(_all(history), default=today)
    # A meter that was not used on the first days of all use has zeros there, not less history.
    whole = {meter: {first: 0, **history.get(meter, {})} if first < today else {} for meter in METERS}
    return {meter: outlook(whole[meter], today, left, last_day) for meter in METERS}


def _history(connection: Connection, tenant: str, calendar: Calendar, now_ms: int) -> dict[Meter, dict[date, int]]:
    """Steps by meter and local day, of the meetings that began on it, before today."""
    today = calendar.day(now_ms)
    from_ms, to_ms = calendar.midnight(today - timedelta(days=HISTORY_DAYS)), calendar.midnight(today)
    hour = (MEETING.c.started_ms // _HOUR_MS).label("hour")
    same = (MEETING.c.tenant == ENTRY.c.tenant) & (MEETING.c.meeting_id == ENTRY.c.meeting_id)
    query = (
        select(hour, ENTRY.c.meter, func.sum(ENTRY.c.steps).label("steps"))
        .join_from(ENTRY, MEETING, same)
        .where(ENTRY.c.tenant == tenant, MEETING.c.started_ms >= from_ms, MEETING.c.started_ms < to_ms)
        .group_by(hour, ENTRY.c.meter)
    )
    found: dict[Meter, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in connection.execute(query):
        found[row.meter][calendar.day(int(row.hour) * _HOUR_MS)] += int(row.steps)
    return found


def _all(history: History) -> dict[date, int]:
    return {day: 0 for days in history.values() for day in days}


def _sums(used: list[Used]) -> Steps:
    steps = dict.fromkeys(METERS, 0)
    for one in used:
        steps[one.meter] += one.steps
    return steps


def _quantities(steps: Steps) -> dict[str, str]:
    return {meter: text(Fraction(count, RULES[POLICY][meter].per)) for meter, count in steps.items()}
