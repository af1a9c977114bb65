"""Periods of any zone and anchor day: half-open, without gap or overlap, whatever was closed before."""

import random
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from roomscribe_common.errors import ProblemError
from roomscribe_usage_metering.domain.lines import epoch_ms
from roomscribe_usage_metering.domain.periods import Calendar, Fixed, Period, Timeline

HOUR = 3_600_000
zones = st.sampled_from(
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Havana", "Asia/Beirut", "Pacific/Apia"]
)
anchors = st.integers(1, 31)
instants = st.integers(epoch_ms(datetime(1990, 1, 1, tzinfo=UTC)), epoch_ms(datetime(2090, 1, 1, tzinfo=UTC)))


def ms(year: int, month: int, day: int = 1, hour: int = 0) -> int:
    return epoch_ms(datetime(year, month, day, hour, tzinfo=UTC))


@given(zones, anchors, instants)
def test_an_instant_is_in_the_period_that_holds_it_and_in_no_neighbour(zone: str, anchor: int, at: int) -> None:
    calendar = Calendar(zone, anchor)
    period = calendar.holding(at)
    assert period.start_ms <= at < period.end_ms
    assert calendar.named(period.name) == period
    assert calendar.holding(period.end_ms) == calendar.following(period.name)
    assert calendar.following(period.name).start_ms == period.end_ms
    assert calendar.holding(period.start_ms - 1).end_ms == period.start_ms


@pytest.mark.parametrize(
    ("zone", "month", "hours"),
    [
        ("Europe/Berlin", 3, 31 * 24 - 1),
        ("Europe/Berlin", 10, 31 * 24 + 1),
        ("America/New_York", 11, 30 * 24 + 1),
        ("Pacific/Auckland", 9, 30 * 24 - 1),
        ("UTC", 3, 31 * 24),
    ],
)
def test_a_month_with_a_change_of_the_clocks_is_an_hour_shorter_or_longer(zone: str, month: int, hours: int) -> None:
    period = Calendar(zone).named(f"2026-{month:02}")
    assert period.end_ms - period.start_ms == hours * HOUR


def test_an_anchor_the_month_does_not_have_is_its_last_day() -> None:
    calendar = Calendar("UTC", 31)
    assert calendar.named("2027-02") == Period("2027-02", ms(2027, 2, 28), ms(2027, 3, 31))
    assert calendar.named("2028-02").start_ms == ms(2028, 2, 29)
    assert calendar.holding(ms(2028, 2, 28)).name == "2028-01"


def test_a_midnight_that_is_skipped_is_the_moment_of_the_leap() -> None:
    # Beirut went from 23:59:59 on 25 March 2023 straight to 01:00.
    assert Calendar("Asia/Beirut").midnight(date(2023, 3, 26)) == ms(2023, 3, 25, 22)


@pytest.mark.parametrize("period", ["2026-13", "2026-00", "2026", "", "november", "9999-12", "2026-11-01", "२०२६-११"])
def test_what_is_no_month_is_refused_by_name(period: str) -> None:
    with pytest.raises(ProblemError) as refused:
        Calendar().named(period)
    assert refused.value.problem.status == 422
    assert [error.field for error in refused.value.problem.errors] == ["period"]


@given(zones, anchors, zones, anchors, st.integers(0, 14), instants, st.randoms(use_true_random=False))
def test_a_changed_calendar_leaves_no_gap_and_no_overlap(
    before: str, anchor: int, after: str, changed: int, count: int, at: int, order: random.Random
) -> None:
    old, closed = Calendar(before, anchor), list[Fixed]()
    period = old.holding(at)
    for _ in range(count):
        closed.append(Fixed(period, ((period.start_ms, "book@1"),)))
        period = old.following(period.name)
    order.shuffle(closed)
    timeline = Timeline(Calendar(after, changed), lambda _: "book@1", closed)
    at_ms = at - 100 * 24 * HOUR
    names: list[str] = []
    for _ in range(count + 8):
        found = timeline.holding(at_ms)
        assert found.start_ms <= at_ms < found.end_ms
        assert timeline.named(found.name) == found
        names.append(found.name)
        at_ms = found.end_ms
    assert names == sorted(set(names))
    for one in closed:
        assert timeline.named(one.period.name) == one.period
        assert timeline.is_closed(one.period.name)


def test_a_close_that_was_taken_out_leaves_a_period_that_ends() -> None:
    kept = [Fixed(Calendar().named(name), ((0, "book@1"),)) for name in ("2026-10", "2026-12")]
    timeline = Timeline(Calendar(), lambda _: "book@1", kept)
    held = timeline.holding(ms(2026, 11, 5))
    assert (held, timeline.named("2026-11")) == (Calendar().named("2026-11"), held)
    assert [one.period for one in timeline.spans(ms(2026, 10, 31), ms(2027, 1, 2))] == [
        "2026-10",
        "2026-11",
        "2026-12",
        "2027-01",
    ]


def test_spans_cover_what_is_asked_and_change_where_the_price_does() -> None:
    timeline = Timeline(Calendar("Europe/Berlin"), lambda day: "new@2" if day >= date(2026, 11, 15) else "old@1")
    spans = list(timeline.spans(ms(2026, 11, 14), ms(2026, 12, 2)))
    assert [(one.period, one.price) for one in spans] == [
        ("2026-11", "old@1"),
        ("2026-11", "new@2"),
        ("2026-12", "new@2"),
    ]
    assert spans[0].start_ms == ms(2026, 10, 31, 23)
    assert [one.end_ms for one in spans[:2]] == [one.start_ms for one in spans[1:]]
    assert spans[1].start_ms == ms(2026, 11, 14, 23)


def test_a_closed_period_keeps_its_prices_when_the_account_changes() -> None:
    closed = Fixed(Calendar().named("2026-11"), ((ms(2026, 11), "old@1"), (ms(2026, 11, 9), "old@2")))
    timeline = Timeline(Calendar(), lambda _: "new@1", [closed])
    spans = timeline.spans(ms(2026, 11), ms(2026, 12, 2))
    assert [(one.period, one.price) for one in spans] == [
        ("2026-11", "old@1"),
        ("2026-11", "old@2"),
        ("2026-12", "new@1"),
    ]


def test_a_line_of_decades_is_cut_at_every_period() -> None:
    timeline = Timeline(Calendar("Europe/Berlin", 31), lambda _: "book@1")
    spans = list(timeline.spans(0, 10**12))
    assert [one.end_ms for one in spans[:-1]] == [one.start_ms for one in spans[1:]]
    assert len({one.period for one in spans}) == len(spans) == 381
