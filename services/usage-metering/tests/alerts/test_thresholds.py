"""Budgets and quotas: each threshold that is reached, and no other."""

from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

from roomscribe_usage_metering.accounts import Budget, Quota
from roomscribe_usage_metering.alerts.thresholds import Totals, budget_events, quota_events
from roomscribe_usage_metering.domain.periods import UTC_MONTHS

NOW = datetime(2026, 11, 22, tzinfo=UTC)
NOVEMBER = UTC_MONTHS.named("2026-11")


def reached(amount: str, actual: str, forecast: str) -> list[str]:
    budget = Budget(name="cloud", amount=Decimal(amount))
    totals: Totals = {"actual": Decimal(actual), "forecast": Decimal(forecast)}
    return [one.id for one in budget_events("acme", "2026-11", [budget], totals, NOW)]


def test_each_threshold_of_what_was_used_and_of_what_will_have_been_has_an_id_of_its_own() -> None:
    assert reached("100", "80.00", "100.00") == [
        "budget:acme:2026-11:cloud:actual:50",
        "budget:acme:2026-11:cloud:actual:80",
        "budget:acme:2026-11:cloud:forecast:50",
        "budget:acme:2026-11:cloud:forecast:80",
        "budget:acme:2026-11:cloud:forecast:100",
    ]


def test_a_cent_below_a_threshold_is_not_it() -> None:
    assert reached("100", "49.99", "49.99") == []
    assert reached("100", "50.00", "0")[0].endswith("actual:50")


def test_nothing_used_reaches_nothing_not_even_a_budget_of_nothing() -> None:
    assert reached("0", "0.00", "0.00") == []
    assert len(reached("0", "0.01", "0.00")) == 3


def test_a_quota_is_of_quantities_and_says_when_it_begins_anew() -> None:
    quota = Quota(meter="stt_audio_minutes", limit=Decimal(10))
    used = {"stt_audio_minutes": Fraction(601, 60), "agent_session_minutes": Fraction(10_000)}
    events = list(quota_events("acme", NOVEMBER, [quota], used, NOW))
    assert [one.data.threshold_percent for one in events] == [80, 100]
    assert events[0].data.resets_at == datetime(2026, 12, 1, tzinfo=UTC)
    assert list(quota_events("acme", NOVEMBER, [quota], {"stt_audio_minutes": Fraction(479, 60)}, NOW)) == []
