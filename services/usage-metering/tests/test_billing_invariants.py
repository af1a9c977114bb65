"""The money of a period, whatever was used at whichever price."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.pricing.price_book import Rate
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.billing import (
    PeriodTerms,
    Used,
    correction_lines,
    invoice_lines,
    merged,
    quantity,
    rate_period,
)
from roomscribe_usage_metering.domain.entry import Total
from roomscribe_usage_metering.pricing.books import Plan, built_in
from roomscribe_usage_metering.sharing import shares

from .scenarios import scenarios

SHIP, SCALE = "livekit-cloud-ship@2026-06-02", "livekit-cloud-scale@2026-06-02"
METERS: tuple[Meter, ...] = (
    "webrtc_participant_minutes",
    "agent_session_minutes",
    "downstream_gb",
    "stt_audio_minutes",
    "llm_input_tokens",
    "track_egress_minutes",
)
CHARGES = {
    "stt_audio_minutes": Rate(unit_price=Decimal("0.006")),
    "llm_input_tokens": Rate(unit_price=Decimal("0.15"), per=1_000_000),
}


def plan_of(source: str) -> Plan:
    plan = built_in().of_source(source)
    assert plan is not None
    return plan


terms = st.builds(
    PeriodTerms,
    time_zone=st.just("UTC"),
    prices=st.sampled_from([((0, SHIP),), ((0, SHIP), (5, SCALE)), ((0, SCALE), (5, SHIP))]),
    charges=st.sampled_from([{}, CHARGES]),
    use_model_credit=st.booleans(),
)
meters = st.sampled_from(METERS)
steps = st.one_of(st.integers(0, 100), st.integers(0, 10**7))
uses = st.lists(
    st.builds(Used, of_period=st.just("2026-11"), price=st.sampled_from([SHIP, SCALE]), meter=meters, steps=steps),
    max_size=12,
)


@given(terms, uses)
@scenarios
def test_the_total_is_the_sum_of_the_lines_and_the_same_however_use_is_split(on: PeriodTerms, used: list[Used]) -> None:
    rated = rate_period(on, used, plan_of)
    lines = invoice_lines(rated, "2026-11")
    assert sum((Decimal(line.amount) for line in lines), Decimal(0)) == rated.total
    assert rate_period(on, merged(used), plan_of).lines == rated.lines
    assert rate_period(on, used[::-1], plan_of).total == rated.total


@given(terms, uses, st.sampled_from([SHIP, SCALE]), meters, st.integers(1, 10**6))
@scenarios
def test_more_use_never_costs_less(on: PeriodTerms, used: list[Used], price: str, meter: Meter, more: int) -> None:
    before = rate_period(on, used, plan_of).total
    assert rate_period(on, [*used, Used("2026-11", price, meter, more)], plan_of).total >= before


@given(terms, uses, uses)
@scenarios
def test_what_was_charged_and_its_corrections_are_what_all_of_it_costs(
    on: PeriodTerms, used: list[Used], late: list[Used]
) -> None:
    before, after = rate_period(on, used, plan_of), rate_period(on, [*used, *late], plan_of)
    corrected = sum((Decimal(line.amount) for line in correction_lines(before, after, "2026-11")), Decimal(0))
    assert before.total + corrected == after.total


@given(uses)
@scenarios
def test_an_allowance_is_used_up_once_over_both_prices(used: list[Used]) -> None:
    on = PeriodTerms(time_zone="UTC", prices=((0, SHIP), (5, SCALE)))
    rated = rate_period(on, used, plan_of)
    for meter in METERS[:3]:
        included = Fraction(plan_of(SHIP).terms.rates[meter].included)
        lines = [line for line in rated.lines.values() if line.meter == meter]
        total = sum((quantity(use) for use in used if use.meter == meter), Fraction(0))
        assert sum((line.overage for line in lines), Fraction(0)) == max(Fraction(0), total - included)


@given(terms, st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from([SHIP, SCALE]), meters, steps), max_size=20))
@scenarios
def test_meetings_bear_every_line_to_the_cent(on: PeriodTerms, used: list[tuple[str, str, Meter, int]]) -> None:
    totals = [Total(meeting, "2026-11", "2026-11", price, meter, count, False) for meeting, price, meter, count in used]
    rated = rate_period(on, [Used("2026-11", one.price, one.meter, one.steps) for one in totals], plan_of)
    lines = invoice_lines(rated, "2026-11")
    parts = shares(lines, totals)
    if totals:
        for line in lines:
            assert sum((one.get(line.line_id, Decimal(0)) for one in parts.values()), Decimal(0)) == Decimal(
                line.amount
            )
    else:
        assert parts == {}


def test_a_meeting_that_used_nothing_of_a_line_bears_nothing_of_it() -> None:
    on = PeriodTerms(time_zone="UTC", prices=((0, SHIP),), charges=CHARGES)
    totals = [
        Total("mtg_1", "2026-11", "2026-11", SHIP, "stt_audio_minutes", 6_000, False),
        Total("mtg_2", "2026-11", "2026-11", SHIP, "webrtc_participant_minutes", 10, False),
    ]
    rated = rate_period(on, [Used("2026-11", one.price, one.meter, one.steps) for one in totals], plan_of)
    parts = shares(invoice_lines(rated, "2026-11"), totals)
    assert parts == {"mtg_1": {"account:stt_audio_minutes": Decimal("0.60")}, "mtg_2": {f"{SHIP}:plan_base": 50}}
