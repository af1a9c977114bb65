"""An estimate beside the bill: the causes add up to the cent, and name what was off."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.invoices import CompareForecast, Comparison
from roomscribe_common.contracts.pricing.price_book import Rate
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.accounts import load_accounts
from roomscribe_usage_metering.comparing import Billed, Comparing, comparison
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.pricing.actual import Actual
from roomscribe_usage_metering.pricing.books import built_in
from roomscribe_usage_metering.pricing.rating import Charge, rate
from sqlalchemy.ext.asyncio import AsyncEngine

from .billing import Till, at, talk
from .exports.ledger import scenarios

ESTIMATE: dict[str, Any] = {"meetings": 1, "minutes": 30, "humans": 1, "plan": "livekit-cloud-ship"}
NOW = at(11, 20)


@pytest.fixture
def till(engine: AsyncEngine, tmp_path: Path) -> Till:
    charges = {"webrtc_participant_minutes": {"unit_price": "1"}}
    file = tmp_path / "accounts.json"
    file.write_text(json.dumps({"default": {"charges": charges}}))
    return Till(engine, load_accounts(file, built_in(), "livekit-cloud-ship"), built_in())


async def compared(till: Till, estimate: dict[str, Any], **about: str) -> Comparison:
    comparing = Comparing(till.engine, till.tariffs, till.invoicing, built_in())
    command = CompareForecast(tenant="acme", estimate=EstimateRequest.model_validate(estimate), **about)
    return await comparing.compare(command, epoch_ms(NOW))


def adds_up(found: Comparison) -> None:
    assert sum(Decimal(one.effect) for one in found.causes) == Decimal(found.difference)
    assert Decimal(found.forecast_total) + Decimal(found.difference) == Decimal(found.actual_total)
    assert found.causes == sorted(found.causes, key=lambda one: -abs(Decimal(one.effect)))


async def test_a_month_is_compared_with_its_draft_and_each_cause_is_named(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), NOW)
    await till.hear(talk("mtg_2", at(11, 3, 9), 45), NOW)
    found = await compared(till, ESTIMATE, period="2026-11")
    adds_up(found)
    assert (found.actual_total, found.final) == ((await till.draft(NOW)).total, False)
    effects = {one.input: one.effect for one in found.causes}
    # 150 connection minutes at a dollar, where the estimate had them in the plan's allowance.
    assert effects["price of webrtc_participant_minutes"] == "150.00"
    assert effects["stt_audio_minutes of a meeting"] == "-0.36"


async def test_a_closed_month_is_final(till: Till) -> None:
    await till.hear(talk("mtg_1", at(10, 2, 9), 30), at(10, 3))
    await till.close(at(11, 2, 1))
    found = await compared(till, ESTIMATE, period="2026-10")
    adds_up(found)
    assert found.final
    assert found.actual_total == (await till.invoice("2026-10", NOW)).invoice.total


async def test_one_meeting_is_compared_at_prices_alone(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 45), NOW)
    found = await compared(till, {**ESTIMATE, "meetings": 2000}, meeting_id="mtg_1")
    adds_up(found)
    # 90 connection minutes at a dollar, 45 agent minutes at a cent, 0.48 GB at 12 cents.
    assert (found.actual_total, found.final) == ("90.51", True)
    # 60 connection minutes at $0.0005, 30 agent minutes, 30 minutes of speech at $0.006.
    assert found.forecast_total == "0.51"


async def test_an_estimate_on_another_plan_says_what_the_plan_did(till: Till) -> None:
    await till.hear(talk("mtg_1", at(11, 2, 9), 30), NOW)
    found = await compared(till, {**ESTIMATE, "plan": "livekit-cloud-scale"}, period="2026-11")
    adds_up(found)
    [plan] = [one for one in found.causes if "instead of" in one.input]
    assert (plan.effect, plan.forecast, plan.actual) == ("-450.00", "500", "50")


async def test_what_cannot_be_compared_is_refused(till: Till) -> None:
    for about, status in (
        ({"period": "2026-11", "meeting_id": "mtg_1"}, 422),
        ({"period": "2026-13"}, 422),
        ({"period": "2030-01"}, 404),
        ({"meeting_id": "nobody"}, 404),
    ):
        with pytest.raises(ProblemError) as refused:
            await compared(till, ESTIMATE, **about)
        assert refused.value.problem.status == status
    with pytest.raises(ProblemError, match="unknown plan 'gold'"):
        await compared(till, {**ESTIMATE, "plan": "gold"}, period="2026-11")


METERS = ("webrtc_participant_minutes", "agent_session_minutes", "stt_audio_minutes", "llm_output_tokens")
PLANS = ("livekit-cloud-ship", "livekit-cloud-scale")


@given(
    st.tuples(*[st.fractions(0, 10**7, max_denominator=60) for _ in METERS]),
    st.tuples(st.sampled_from(PLANS), st.sampled_from(PLANS)),
    st.lists(st.tuples(st.sampled_from(METERS), st.decimals("0", "0.1", places=4)), max_size=3),
    st.decimals("-100", "100", places=2),
)
@scenarios
def test_the_causes_always_add_up(
    used: tuple[Any, ...], plans: tuple[str, str], own: list[tuple[str, Decimal]], rest: Decimal
) -> None:
    forecast_plan, billed_plan = (built_in().plan(one, at(11).date()) for one in plans)
    charges = {meter: Charge(Rate(unit_price=price), "account") for meter, price in own}
    actual = Actual(7, dict(zip(METERS, used, strict=True)))
    total = rate(billed_plan, actual.usage, charges).total + rest
    billed = Billed(billed_plan, charges, False, actual, total, at(11).date(), True)
    adds_up(comparison(forecast_plan, EstimateRequest.model_validate(ESTIMATE), billed))
