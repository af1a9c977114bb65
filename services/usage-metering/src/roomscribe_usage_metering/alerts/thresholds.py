"""Which budgets and quotas are reached. Pure; whoever stores the events does so once for each id."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from roomscribe_common.contracts.billing import BudgetReached, BudgetReachedData, QuotaReached, QuotaReachedData
from roomscribe_common.subjects import subject_of

from roomscribe_usage_metering.accounts import Budget, Quota
from roomscribe_usage_metering.domain.lines import instant
from roomscribe_usage_metering.domain.periods import Period
from roomscribe_usage_metering.exports.usage import SOURCE
from roomscribe_usage_metering.pricing.exact import money, text

Totals = Mapping[Literal["actual", "forecast"], Decimal]


def budget_events(
    tenant: str, period: str, budgets: Iterable[Budget], totals: Totals, at: datetime
) -> Iterator[BudgetReached]:
    """Each percent of each budget that a total has reached."""
    for budget in budgets:
        for basis, total in totals.items():
            for percent in budget.percents:
                if total > 0 and total * 100 >= budget.amount * percent:
                    data = BudgetReachedData(
                        period=period,
                        budget=budget.name,
                        limit=money(budget.amount),
                        currency=budget.currency,
                        threshold_percent=percent,
                        basis=basis,
                        amount=money(total),
                        at=at,
                    )
                    yield BudgetReached.new(
                        id=f"budget:{tenant}:{period}:{budget.name}:{basis}:{percent}",
                        source=SOURCE,
                        subject=subject_of(BudgetReached, tenant, period),
                        tenant=tenant,
                        data=data,
                        time=at,
                    )


def quota_events(
    tenant: str, period: Period, quotas: Iterable[Quota], used: Mapping[str, Fraction], at: datetime
) -> Iterator[QuotaReached]:
    """Each percent of each quota that the use of its meter has reached."""
    for quota in quotas:
        amount = used.get(quota.meter, Fraction(0))
        for percent in quota.percents:
            if amount > 0 and amount * 100 >= Fraction(quota.limit) * percent:
                data = QuotaReachedData(
                    period=period.name,
                    meter=quota.meter,
                    limit=text(quota.limit),
                    threshold_percent=percent,
                    used=text(amount),
                    resets_at=instant(period.end_ms),
                )
                yield QuotaReached.new(
                    id=f"quota:{tenant}:{period.name}:{quota.meter}:{percent}",
                    source=SOURCE,
                    subject=subject_of(QuotaReached, tenant, period.name),
                    tenant=tenant,
                    data=data,
                    time=at,
                )
