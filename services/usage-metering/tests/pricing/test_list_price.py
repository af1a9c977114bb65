"""The cost line of a meeting: at list price beyond allowances, each line rounded once."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.pricing.price_book import PriceBook
from roomscribe_usage_metering.pricing.books import built_in
from roomscribe_usage_metering.pricing.list_price import at_list_price

from .asking import DAY, SCALE, SHIP, scenarios

USED = {
    "webrtc_participant_minutes": Fraction(540_000),
    "agent_session_minutes": Fraction(90_000),
    "stt_audio_minutes": Fraction(90_000),
    "llm_input_tokens": Fraction(5),
}


def book(name: str) -> PriceBook:
    return next(one for one in built_in() if one.id == name)


@pytest.mark.parametrize(("name", "connections"), [(SCALE, "216.00"), (SHIP, "270.00")])
def test_two_thousand_meetings_at_list_price(name: str, connections: str) -> None:
    priced = at_list_price(book(name), DAY, USED)
    assert priced is not None
    assert {line.meter: line.amount for line in priced.lines} == {
        "webrtc_participant_minutes": connections,
        "agent_session_minutes": "900.00",
        "stt_audio_minutes": "540.00",
    }
    assert Decimal(priced.total) == Decimal(connections) + 900 + 540
    assert (priced.currency, priced.version) == ("USD", "2026-06-02")


def test_it_says_where_its_prices_come_from_and_what_it_leaves_out() -> None:
    priced = at_list_price(book(SHIP), DAY, USED)
    assert priced is not None
    for word in ("2026-06-02", "allowances", "bandwidth", "tokens"):
        assert word in " ".join(priced.notes)


@given(*[st.fractions(min_value=0, max_value=10**7) for _ in range(2)])
@scenarios
def test_the_total_is_the_sum_of_cents_and_grows_with_each_meter(less: Fraction, more: Fraction) -> None:
    less, more = sorted((less, more))
    cheap, dear = (
        at_list_price(book(SHIP), DAY, {"stt_audio_minutes": q, "agent_session_minutes": Fraction(1)})
        for q in (less, more)
    )
    assert cheap is not None
    assert dear is not None
    assert Decimal(cheap.total) <= Decimal(dear.total)
    assert Decimal(dear.total) == sum(Decimal(line.amount) for line in dear.lines)
    assert all(len(line.amount.partition(".")[2]) == 2 for line in dear.lines)


def test_on_a_day_without_prices_there_is_no_price() -> None:
    ended = book(SHIP).versions[0].model_copy(update={"valid_until": date(2026, 6, 2)})
    assert at_list_price(book(SHIP).model_copy(update={"versions": [ended]}), DAY, USED) is None
