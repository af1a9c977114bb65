"""Invoice lines, and meetings' parts of them that add up to the cent."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.pricing.price_book import Rate
from roomscribe_usage_metering.pricing.allocation import allocate
from roomscribe_usage_metering.pricing.invoices import allocate_to_meetings, invoice_lines
from roomscribe_usage_metering.pricing.rating import Charge, rate

from . import naive
from .asking import SCALE, SHIP, plan, scenarios

names = st.text("abcdefgh", min_size=1, max_size=3)
weights = st.dictionaries(names, st.integers(0, 10**6), min_size=1, max_size=12)
METERS = ("webrtc_participant_minutes", "agent_session_minutes", "stt_audio_minutes")


@given(st.integers(0, 10**7), weights.filter(lambda found: sum(found.values()) > 0))
@scenarios
def test_parts_are_those_that_are_shared_out_by_hand(amount: int, found: dict[str, int]) -> None:
    parts = allocate(Decimal(amount) / 100, {name: Fraction(weight) for name, weight in found.items()})
    assert {name: int(part * 100) for name, part in parts.items()} == naive.share_out(amount, found)


@given(st.integers(-(10**7), 10**7), weights)
@scenarios
def test_parts_add_up_and_are_within_a_cent_of_their_due(amount: int, found: dict[str, int]) -> None:
    parts = allocate(Decimal(amount) / 100, {name: Fraction(weight) for name, weight in found.items()})
    assert sum(parts.values()) == Decimal(amount) / 100
    total = sum(found.values())
    for name, part in parts.items():
        due = Fraction(amount, 100) * (Fraction(found[name], total) if total else Fraction(1, len(found)))
        assert abs(Fraction(part) - due) < Fraction(1, 100)


def test_three_equal_meetings_share_a_dollar_by_name() -> None:
    parts = allocate(Decimal("1.00"), {name: Fraction(1) for name in "cab"})
    assert parts == {"a": Decimal("0.34"), "b": Decimal("0.33"), "c": Decimal("0.33")}


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ValueError, match=r"whole cents; it is 0\.001"):
        allocate(Decimal("0.001"), {"a": Fraction(1)})
    with pytest.raises(ValueError, match="0 or more"):
        allocate(Decimal("1.00"), {"a": Fraction(-1)})
    with pytest.raises(ValueError, match=r"1\.00 cannot be divided among nobody"):
        allocate(Decimal("1.00"), {})
    assert allocate(Decimal("0.00"), {}) == {}


usage = st.fixed_dictionaries({meter: st.integers(0, 10**6) for meter in METERS})


@given(st.dictionaries(names, usage, min_size=1, max_size=8), st.sampled_from([SHIP, SCALE]), st.booleans())
@scenarios
def test_meetings_bear_the_invoice_to_the_cent(
    meetings: dict[str, dict[str, int]], name: str, use_credit: bool
) -> None:
    exact = {one: {meter: Fraction(n, 60) for meter, n in used.items()} for one, used in meetings.items()}
    month = {meter: sum((used[meter] for used in exact.values()), Fraction(0)) for meter in METERS}
    charges = {"stt_audio_minutes": Charge(Rate(unit_price=Decimal("0.006")))}
    bill = rate(plan(name), month, charges, use_credit=use_credit)
    lines = invoice_lines(bill)
    shares = allocate_to_meetings(lines, exact)
    for line in lines:
        assert sum(parts.get(line.line_id, Decimal(0)) for parts in shares.values()) == line.amount
    assert sum(sum(parts.values()) for parts in shares.values()) == bill.total


def test_a_month_with_something_unpriced_cannot_be_invoiced() -> None:
    with pytest.raises(ValueError, match="sip_minutes has no price in livekit-cloud-ship@2026-06-02"):
        invoice_lines(rate(plan(SHIP), {"sip_minutes": Fraction(1)}))


def test_line_ids_are_the_same_each_time() -> None:
    ids = [line.line_id for line in invoice_lines(rate(plan(SCALE), {"downstream_gb": Fraction(1)}))]
    assert ids[0] == "livekit-cloud-scale@2026-06-02:plan_base"
    assert len({*ids}) == len(ids)
