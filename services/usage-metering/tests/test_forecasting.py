"""What a running period will have cost, from what a database holds."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from roomscribe_common.contracts.invoices import GetForecast
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.forecasting import Forecasts
from roomscribe_usage_metering.pricing.books import built_in
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, talk

NOW = at(11, 15)


@pytest.fixture
def till(engine: AsyncEngine, tmp_path: Path) -> Till:
    """A dollar a minute of connection, so that money shows what is counted."""
    charges = {"webrtc_participant_minutes": {"unit_price": "1"}, "agent_session_minutes": {"unit_price": "0"}}
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"default": {"charges": charges}}))
    return Till(engine, load_accounts(file, built_in(), "livekit-cloud-ship"), built_in())


def forecasts(till: Till) -> Forecasts:
    return Forecasts(till.engine, till.tariffs, till.invoicing)


async def hold_ten_minutes_a_day(till: Till) -> None:
    for day in range(14):
        await till.hear(talk(f"mtg_{day}", at(11, 1, 9) + timedelta(days=day), 10), NOW)


async def test_days_that_are_all_alike_are_forecast_to_the_cent(till: Till) -> None:
    await hold_ten_minutes_a_day(till)
    await till.hear(talk("mtg_b", at(11, 8, 9), 600, "bolt"), NOW)
    found = await forecasts(till).forecast(GetForecast(tenant="acme"), epoch_ms(NOW))
    # 20 connection minutes a day, and Ship's base of $50.
    assert (found.actual_total, found.expected_total) == ("330.00", "650.00")
    assert (found.low_total, found.high_total) == ("650.00", "650.00")
    assert (found.actual["webrtc_participant_minutes"], found.expected["webrtc_participant_minutes"]) == ("280", "600")
    assert (found.period, found.currency, found.days_of_history) == ("2026-11", "USD", 14)


async def test_a_meeting_that_still_runs_counts_as_far_as_it_is_known(till: Till) -> None:
    events = talk("mtg_1", at(11, 14, 23), 30)
    await till.hear(events[:4], at(11, 14, 23, 40))
    found = await forecasts(till).forecast(GetForecast(tenant="acme"), epoch_ms(at(11, 14, 23, 40)))
    assert found.actual["webrtc_participant_minutes"] == "60"


async def test_a_tenant_that_used_nothing_is_expected_to_pay_the_base(till: Till) -> None:
    found = await forecasts(till).forecast(GetForecast(tenant="nobody"), epoch_ms(NOW))
    assert (found.actual_total, found.expected_total, found.days_of_history) == ("50.00", "50.00", 0)


@pytest.mark.parametrize(("period", "why"), [("2026-12", "has not begun"), ("2026-10", "is closed"), ("x", "month")])
async def test_a_period_that_does_not_run_is_refused(till: Till, period: str, why: str) -> None:
    await till.hear(talk("mtg_o", at(10, 5, 9), 10), at(10, 6))
    await till.close(at(11, 3))
    with pytest.raises(ProblemError, match=why) as refused:
        await forecasts(till).forecast(GetForecast(tenant="acme", period=period), epoch_ms(NOW))
    assert refused.value.problem.status == 422
    assert refused.value.problem.errors[0].field == "period"
