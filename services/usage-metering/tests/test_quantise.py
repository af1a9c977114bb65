from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.domain.quantise import decimal_text, in_billed_units, quantise

from .scenarios import scenarios


@pytest.mark.parametrize(
    ("ms", "minutes"), [(0, 0), (1, 1), (10_000, 1), (60_000, 1), (60_001, 2), (70_000, 2), (2_700_000, 45)]
)
@pytest.mark.parametrize("meter", ["webrtc_participant_minutes", "agent_session_minutes"])
def test_connections_and_sessions_are_billed_by_the_started_minute(meter: Meter, ms: int, minutes: int) -> None:
    assert in_billed_units(meter, "livekit", quantise(meter, "livekit", ms)) == minutes


@pytest.mark.parametrize(
    ("ms", "minutes"),
    [
        (0, "0"),
        (1, "0.016666666667"),
        (1_000, "0.016666666667"),
        (1_001, "0.033333333333"),
        (30_000, "0.5"),
        (60_000, "1"),
    ],
)
def test_speech_to_text_is_billed_by_the_started_second(ms: int, minutes: str) -> None:
    steps = quantise("stt_audio_minutes", "livekit", ms)
    assert decimal_text(in_billed_units("stt_audio_minutes", "livekit", steps)) == minutes


def test_a_sum_of_seconds_is_converted_once_and_is_exact() -> None:
    sixty_times_a_second = 60 * quantise("stt_audio_minutes", "livekit", 1)
    assert decimal_text(in_billed_units("stt_audio_minutes", "livekit", sixty_times_a_second)) == "1"


@scenarios
@given(st.integers(0, 10**12), st.integers(0, 10**12))
def test_more_use_never_costs_less(one: int, other: int) -> None:
    less, more = sorted((one, other))
    assert quantise("webrtc_participant_minutes", "livekit", less) <= quantise(
        "webrtc_participant_minutes", "livekit", more
    )


@scenarios
@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_decimal_text_is_the_number_without_exponent_or_padding(value: Decimal) -> None:
    text = decimal_text(value)
    assert Decimal(text) == value
    assert "E" not in text
    assert not ("." in text and text.endswith(("0", ".")))
