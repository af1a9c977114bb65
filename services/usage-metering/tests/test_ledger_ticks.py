"""Which period a step is paid in: the one its tick is in, wherever and however the line is cut."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.contracts.usage import Meter
from roomscribe_usage_metering.domain.lines import Line, epoch_ms
from roomscribe_usage_metering.domain.quantise import METERS, RULES, Policy, quantise
from roomscribe_usage_metering.domain.ticks import (
    measured_before,
    measured_between,
    steps_before,
    steps_between,
    ticks,
)

from . import naive_ledger
from .scenarios import scenarios

T0 = 1_795_000_000_000
WEBRTC: Meter = "webrtc_participant_minutes"


def timed(lasted_ms: int, start_ms: int = T0, per_ms: int = 1, meter: Meter = WEBRTC) -> Line:
    return Line("l", meter, "s", "", lasted_ms * per_ms, start_ms, start_ms + lasted_ms, "left", per_ms=per_ms)


def counted(parts: list[tuple[int, int]], meter: Meter = "stt_audio_minutes") -> Line:
    in_order = tuple(sorted(parts))
    total = sum(amount for _, amount in in_order)
    return Line("l", meter, "s", "", total, in_order[0][0], in_order[-1][0], "pushed", parts=in_order)


TIMED = st.builds(
    timed, st.integers(0, 10**12), st.integers(T0, T0 + 10**9), st.just(1), st.sampled_from([WEBRTC])
) | st.builds(timed, st.integers(0, 10**9), st.just(T0), st.sampled_from([25, 150]), st.just("downstream_gb"))
COUNTED = st.builds(
    counted,
    st.lists(st.tuples(st.integers(T0, T0 + 10**6), st.integers(0, 5_000)), min_size=1, max_size=8),
    st.sampled_from(METERS),
)
CUTS = st.lists(st.integers(T0 - 10**6, T0 + 10**12), max_size=12)


@scenarios
@given(TIMED | COUNTED, CUTS)
def test_a_line_cut_anywhere_bills_in_all_what_it_bills_whole(line: Line, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), 10**15]
    assert sum(steps_between(line, a, b) for a, b in pairwise(edges)) == line.steps
    assert sum(measured_between(line, a, b) for a, b in pairwise(edges)) == line.quantity
    assert all(steps_between(line, a, b) >= 0 for a, b in pairwise(edges))


@scenarios
@given(st.integers(1, 10**7), CUTS)
def test_minutes_belong_to_the_period_they_start_in(lasted_ms: int, cuts: list[int]) -> None:
    line = timed(lasted_ms)
    for a, b in pairwise([T0 - 1, *sorted(cut % 10**7 + T0 for cut in cuts), T0 + 10**8]):
        assert steps_between(line, a, b) == naive_ledger.ticks_in(T0, lasted_ms, a, b)


@scenarios
@given(
    st.builds(timed, st.integers(0, 10**7), st.just(T0))
    | st.builds(timed, st.integers(0, 10**6), st.just(T0), st.sampled_from([25, 150]), st.just("downstream_gb"))
    | st.builds(
        counted, st.lists(st.tuples(st.integers(T0, T0 + 10**6), st.integers(0, 5_000)), min_size=1, max_size=8)
    ),
    st.integers(T0 - 10, T0 + 10**7),
)
def test_the_ticks_of_a_line_are_its_steps_at_any_instant(line: Line, at_ms: int) -> None:
    instants = list(ticks(line))
    assert len(instants) == line.steps
    assert instants == sorted(instants)
    assert sum(tick < at_ms for tick in instants) == steps_before(line, at_ms)


@scenarios
@given(TIMED, st.integers(T0, T0 + 10**12), st.integers(0, 10**6))
def test_what_a_running_line_has_used_up_never_falls_and_is_no_more_than_it_will_be(
    line: Line, at_ms: int, later: int
) -> None:
    assert steps_before(line, at_ms) <= steps_before(line, at_ms + later) <= line.steps
    assert measured_before(line, at_ms) <= measured_before(line, at_ms + later) <= line.quantity


def test_the_ticks_of_a_connection_are_a_minute_apart_from_its_start() -> None:
    assert list(ticks(timed(120_001))) == [T0, T0 + 60_000, T0 + 120_000]
    assert list(ticks(timed(120_000))) == [T0, T0 + 60_000]


def test_a_connection_over_midnight_is_not_rounded_up_twice() -> None:
    line = timed(90_000)
    midnight = T0 + 30_000
    assert (steps_between(line, 0, midnight), steps_between(line, midnight, 10**15)) == (1, 1)
    assert steps_between(line, midnight, midnight + 1) == 0


def test_a_tick_on_the_boundary_belongs_to_what_begins_there() -> None:
    line = timed(61_000)
    assert (steps_before(line, T0), steps_before(line, T0 + 60_000), steps_before(line, T0 + 60_001)) == (0, 1, 2)


def test_10_to_the_12_ms_are_exact() -> None:
    line = timed(10**12, start_ms=0)
    assert line.steps == 16_666_667
    assert steps_before(line, 10**12 - 1) == 16_666_667
    assert steps_between(line, 10**11, 2 * 10**11) == 3_333_334 - 1_666_667
    gigabytes = timed(10**12, 0, 150, "downstream_gb")
    assert gigabytes.steps == 150 * 10**12 // 10**7


DST_DAYS = [
    ("Europe/Berlin", "2026-03-29", 23),
    ("Europe/Berlin", "2026-10-25", 25),
    ("America/New_York", "2026-03-08", 23),
    ("America/New_York", "2026-11-01", 25),
    ("Australia/Lord_Howe", "2026-10-04", 23.5),
    ("Australia/Lord_Howe", "2026-04-05", 24.5),
    ("Asia/Kathmandu", "2028-02-29", 24),
    ("America/Santiago", "2026-09-06", 23),
]


def local_midnight(zone: str, day: str) -> int:
    return epoch_ms(datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC))


def day_after(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


@pytest.mark.parametrize(("zone", "day", "hours"), DST_DAYS)
def test_a_day_the_clocks_change_has_the_minutes_that_really_passed(zone: str, day: str, hours: float) -> None:
    start, end = local_midnight(zone, day), local_midnight(zone, day_after(day))
    assert end - start == hours * 3_600_000
    whole = timed(end - start, start)
    assert steps_between(whole, start, end) == whole.steps == hours * 60
    # Someone who stays from the evening before to the morning after pays each minute once.
    longer = timed(end - start + 7_200_000, start - 3_600_000)
    days = [steps_between(longer, a, b) for a, b in ((0, start), (start, end), (end, 10**15))]
    assert days == [60, hours * 60, 60]


@scenarios
@given(st.sampled_from(DST_DAYS), st.integers(-(10**8), 10**8), st.integers(1, 3 * 10**8))
def test_the_days_around_a_change_of_clocks_add_up_to_the_whole(
    change: tuple[str, str, float], offset_ms: int, lasted_ms: int
) -> None:
    zone, day, _ = change
    start, end = local_midnight(zone, day), local_midnight(zone, day_after(day))
    line = timed(lasted_ms, start + offset_ms)
    parts = [steps_between(line, a, b) for a, b in ((0, start), (start, end), (end, 10**15))]
    assert sum(parts) == naive_ledger.started_minutes(lasted_ms)
    assert parts[1] == naive_ledger.ticks_in(start + offset_ms, lasted_ms, start, end)


@pytest.mark.parametrize("policy", RULES)
def test_every_policy_has_a_rule_for_every_meter_and_never_rounds_down(policy: Policy) -> None:
    assert set(RULES[policy]) == set(METERS)
    for meter, rule in RULES[policy].items():
        assert [quantise(meter, policy, measured) for measured in (0, 1, rule.step, rule.step + 1)] == [0, 1, 1, 2]


def test_the_policies_differ_in_their_steps_alone() -> None:
    minute_and_a_bit = {policy: quantise(WEBRTC, policy, 70_500) for policy in RULES}
    assert minute_and_a_bit == {"livekit": 2, "second": 71, "exact": 70_500}
    assert {quantise("downstream_gb", policy, 10_000_001) for policy in ("livekit", "second")} == {2}
