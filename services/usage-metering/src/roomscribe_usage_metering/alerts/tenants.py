"""Looks at each tenant's running period: budgets and quotas."""

import logging
from datetime import datetime
from fractions import Fraction

from roomscribe_common.boundary import one_of_many
from roomscribe_common.contracts.base import AnyEvent
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from roomscribe_usage_metering.adapters import closes
from roomscribe_usage_metering.adapters.tariffs import Tariffs
from roomscribe_usage_metering.alerts.thresholds import Totals, budget_events, quota_events
from roomscribe_usage_metering.domain.lines import POLICY, instant
from roomscribe_usage_metering.domain.quantise import RULES
from roomscribe_usage_metering.forecasting import Expected, Forecasts

log = logging.getLogger(__name__)

_AWAY = (SQLAlchemyError, OSError, TimeoutError)
"""A database that is away is no tenant's fault."""


class Tenants:
    """The tenants that have budgets or quotas and any use."""

    def __init__(self, engine: AsyncEngine, tariffs: Tariffs, forecasts: Forecasts) -> None:
        self._engine = engine
        self._tariffs = tariffs
        self._forecasts = forecasts

    async def look(self, now_ms: int) -> list[AnyEvent]:
        """Every threshold that is reached now."""
        async with self._engine.connect() as connection:
            tenants = await connection.run_sync(closes.tenants)
        found: list[AnyEvent] = []
        for tenant in tenants:
            account = self._tariffs.account(tenant)
            if account.budgets or account.quotas:
                with one_of_many(log, "tenant left out", passing=_AWAY, tenant=tenant):
                    expected = await self._forecasts.expected(tenant, now_ms)
                    found += self._reached(tenant, expected, instant(now_ms))
        return found

    def _reached(self, tenant: str, expected: Expected, at: datetime) -> list[AnyEvent]:
        account, period = self._tariffs.account(tenant), expected.period
        used = {meter: Fraction(steps, RULES[POLICY][meter].per) for meter, steps in expected.used.items()}
        totals: Totals = {"actual": expected.total, "forecast": expected.expected}
        found: list[AnyEvent] = [*budget_events(tenant, period.name, account.budgets, totals, at)]
        return [*found, *quota_events(tenant, period, account.quotas, used, at)]
