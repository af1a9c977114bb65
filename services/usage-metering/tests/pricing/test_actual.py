"""Forecast against actual: the causes add up to the difference, and name what was off."""

from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.pricing.request import EstimateRequest
from roomscribe_usage_metering.pricing.actual import Actual, compare

from .asking import ARTICLE, SCALE, plan, scenarios

REQUEST = EstimateRequest.model_validate(ARTICLE)
METERS = ("webrtc_participant_minutes", "agent_session_minutes", "stt_audio_minutes")


def used(*quantities: int) -> dict[str, Fraction]:
    return {meter: Fraction(count) for meter, count in zip(METERS, quantities, strict=True)}


def test_what_came_as_forecast_has_no_cause() -> None:
    found = compare(plan(SCALE), REQUEST, Actual(2000, used(540_000, 90_000, 90_000)))
    assert found.causes == ()
    assert found.difference == 0


def test_more_meetings_and_longer_transcription_are_told_apart() -> None:
    found = compare(plan(SCALE), REQUEST, Actual(2200, used(594_000, 99_000, 120_000)))
    assert found.difference == Decimal("270.00")
    assert {one.input: one.effect for one in found.causes} == {
        "meetings": Decimal("144.00"),
        "stt_audio_minutes of a meeting": Decimal("126.00"),
    }
    [speech] = [one for one in found.causes if one.input.startswith("stt")]
    assert speech.forecast == 45


@given(st.integers(0, 5000), *[st.integers(0, 3_000_000) for _ in METERS])
@scenarios
def test_the_causes_add_up_to_the_difference(meetings: int, connections: int, agents: int, speech: int) -> None:
    found = compare(plan(SCALE), REQUEST, Actual(meetings, used(connections, agents, speech)))
    assert sum(one.effect for one in found.causes) == found.difference
