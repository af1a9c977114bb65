"""What must hold for any quantities, and a second implementation that must agree."""

from decimal import Decimal
from fractions import Fraction
from typing import get_args

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from roomscribe_common.contracts.pricing.price_book import METERS, Rate
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.pricing.exact import cents, text
from roomscribe_usage_metering.pricing.rating import CREDIT, Bill, Charge, rate

from . import naive
from .asking import SCALE, SHIP, plan, scenarios

STT = {"stt_audio_minutes": Charge(Rate(unit_price=Decimal("0.006")))}
LIVEKIT = ("webrtc_participant_minutes", "agent_session_minutes", "downstream_gb")
parts = st.integers(0, 10**9)
quantities = st.fixed_dictionaries(dict.fromkeys((*LIVEKIT, "stt_audio_minutes"), parts))
plans = st.sampled_from([SHIP, SCALE])


def bill(name: str, sixtieths: dict[str, int], *, use_credit: bool = False) -> Bill:
    usage = {meter: Fraction(count, 60) for meter, count in sixtieths.items()}
    return rate(plan(name), usage, STT, use_credit=use_credit)


@given(plans, quantities)
@scenarios
@example(SCALE, {"stt_audio_minutes": 50})
def test_the_naive_price_is_the_same(name: str, sixtieths: dict[str, int]) -> None:
    expected = naive.total_cents(name, sixtieths, sixtieths["stt_audio_minutes"], 60)
    assert bill(name, sixtieths).total == Decimal(expected) / 100


@given(plans, quantities, st.booleans())
@scenarios
def test_the_total_is_the_sum_of_its_rounded_lines(name: str, sixtieths: dict[str, int], use_credit: bool) -> None:
    found = bill(name, sixtieths, use_credit=use_credit)
    assert found.total == sum(line.amount or 0 for line in found.lines)
    for line in found.lines:
        assert line.exact is not None
        assert line.amount is not None
        assert abs(Fraction(line.amount) - line.exact) <= Fraction(1, 200)


@given(plans, quantities, st.sampled_from([*LIVEKIT, "stt_audio_minutes"]), parts, st.booleans())
@scenarios
def test_more_of_a_meter_never_costs_less(
    name: str, sixtieths: dict[str, int], meter: str, more: int, use_credit: bool
) -> None:
    grown = {**sixtieths, meter: sixtieths[meter] + more}
    before, after = (bill(name, one, use_credit=use_credit).total for one in (sixtieths, grown))
    assert before <= after


@given(plans, quantities, parts)
@scenarios
def test_a_credit_never_pays_for_more_than_the_models(name: str, sixtieths: dict[str, int], stt: int) -> None:
    found = bill(name, {**sixtieths, "stt_audio_minutes": stt}, use_credit=True)
    models = sum(line.amount or 0 for line in found.lines if line.meter == "stt_audio_minutes")
    credit = sum(line.amount or 0 for line in found.lines if line.meter == CREDIT)
    assert -credit == min(plan(name).terms.model_credit, models)


def test_half_a_cent_is_a_cent_even_where_the_quantity_has_no_end_in_decimals() -> None:
    # 50 s at 0.006 a minute are exactly half a cent; 0.833333333333 min are a little less.
    [line] = [one for one in bill(SHIP, {"stt_audio_minutes": 50}).lines if one.meter == "stt_audio_minutes"]
    assert line.exact == Fraction(1, 200)
    assert line.amount == Decimal("0.01")


@pytest.mark.parametrize(
    ("value", "rounded"),
    [("0.005", "0.01"), ("0.015", "0.02"), ("0.0049999999999999", "0.00"), ("-0.005", "-0.01"), ("2.675", "2.68")],
)
def test_halves_go_away_from_zero(value: str, rounded: str) -> None:
    assert cents(Decimal(value)) == Decimal(rounded)


@given(st.fractions(min_value=-(10**9), max_value=10**9))
@scenarios
def test_cents_are_the_nearest(value: Fraction) -> None:
    assert abs(Fraction(cents(value)) - value) <= Fraction(1, 200)
    assert cents(value).as_tuple().exponent == -2


def test_a_negative_quantity_and_an_unknown_meter_are_refused() -> None:
    with pytest.raises(ValueError, match=r"downstream_gb must be 0 or more; it is -1"):
        rate(plan(SHIP), {"downstream_gb": Fraction(-1)})
    with pytest.raises(ValueError, match=r"unknown meter 'cups_of_tea'; the meters are webrtc"):
        rate(plan(SHIP), {"cups_of_tea": Fraction(1)})


def test_what_nobody_published_a_price_for_has_none() -> None:
    found = rate(plan(SHIP), {"sip_minutes": Fraction(10)})
    [line] = found.unpriced
    assert (line.meter, line.amount) == ("sip_minutes", None)
    assert found.over_cap == ()


def test_beyond_a_hard_cap_nothing_is_sold() -> None:
    found = rate(plan("livekit-cloud-build"), {"agent_session_minutes": Fraction(1001)})
    assert [line.meter for line in found.over_cap] == ["agent_session_minutes"]
    assert rate(plan("livekit-cloud-build"), {"agent_session_minutes": Fraction(1000)}).over_cap == ()


def test_prices_by_the_million_are_exact() -> None:
    charge = {"llm_input_tokens": Charge(Rate(unit_price=Decimal("0.15"), per=1_000_000))}
    found = rate(plan(SHIP), {"llm_input_tokens": Fraction(1_234_567)}, charge)
    [line] = [one for one in found.lines if one.meter == "llm_input_tokens"]
    assert line.exact is not None
    assert text(line.exact) == "0.18518505"


def test_each_line_names_the_version_that_has_its_price() -> None:
    sources = {line.meter: line.source for line in bill(SCALE, {"stt_audio_minutes": 60}).lines}
    assert sources["plan_base"] == "livekit-cloud-scale@2026-06-02"
    assert sources["stt_audio_minutes"] == "request"


def test_every_meter_of_the_ledger_can_be_priced() -> None:

    assert set(get_args(Meter)) <= set(METERS)
