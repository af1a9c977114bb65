from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_usage_metering.adapters.prices import BookName, load_book
from roomscribe_usage_metering.domain.pricing import estimate

TOTALS = {
    "webrtc_participant_minutes": "540000",
    "agent_session_minutes": "90000",
    "stt_audio_minutes": "90000",
    "llm_input_tokens": "5",
}


@pytest.mark.parametrize(("book", "connections"), [("livekit-scale", "216"), ("livekit-ship", "270")])
def test_two_thousand_meetings_at_list_price(book: BookName, connections: str) -> None:
    priced = estimate(load_book(book), TOTALS)
    amounts = {line.meter: line.amount for line in priced.lines}
    assert amounts == {
        "webrtc_participant_minutes": connections,
        "agent_session_minutes": "900",
        "stt_audio_minutes": "540",
    }
    assert Decimal(priced.total) == Decimal(connections) + 900 + 540
    assert priced.currency == "USD"


def test_an_estimate_says_where_its_prices_come_from_and_what_it_leaves_out() -> None:
    notes = " ".join(estimate(load_book("livekit-ship"), TOTALS).notes)
    for word in ("2026-06-02", "allowances", "bandwidth", "tokens"):
        assert word in notes


@given(*[st.decimals(min_value=0, max_value=10**7, places=12) for _ in range(2)])
def test_the_total_is_the_exact_sum_and_grows_with_each_meter(less: Decimal, more: Decimal) -> None:
    less, more = sorted((less, more))
    book = load_book("livekit-ship")
    cheap, dear = (estimate(book, {"stt_audio_minutes": str(q), "agent_session_minutes": "1"}) for q in (less, more))
    assert Decimal(cheap.total) <= Decimal(dear.total)
    assert Decimal(dear.total) == sum(Decimal(line.amount) for line in dear.lines)
