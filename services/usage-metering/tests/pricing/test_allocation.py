"""Parts of an amount that add up to it, to the cent."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.pricing.allocation import allocate

from . import naive
from .asking import scenarios

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


def test_a_part_has_the_sign_of_its_weight() -> None:
    parts = allocate(Decimal("0.60"), {"more": Fraction(20), "less": Fraction(-8)})
    assert parts == {"more": Decimal("1.00"), "less": Decimal("-0.40")}
    back = allocate(Decimal("1.00"), {"less": Fraction(-1), "much less": Fraction(-2)})
    assert back == {"less": Decimal("0.33"), "much less": Decimal("0.67")}
    nothing = allocate(Decimal("0.60"), {"more": Fraction(20), "less": Fraction(-20)})
    assert nothing == {"more": Decimal("0.30"), "less": Decimal("0.30")}


def test_what_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ValueError, match=r"whole cents; it is 0\.001"):
        allocate(Decimal("0.001"), {"a": Fraction(1)})
    with pytest.raises(ValueError, match=r"1\.00 cannot be divided among nobody"):
        allocate(Decimal("1.00"), {})
    assert allocate(Decimal("0.00"), {}) == {}
