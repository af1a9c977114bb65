"""Forecasts are tried on months that are over: how far off they were, and how often the interval held."""

import random
from datetime import date, timedelta
from fractions import Fraction

from roomscribe_usage_metering.forecast import days_of_history, outlook

MONDAY = date(2026, 3, 2)
WHOLE = Fraction(1)


def days(first: date, count: int) -> list[date]:
    return [first + timedelta(days=n) for n in range(count)]


def test_a_week_that_repeats_itself_is_forecast_exactly_once_it_has_been_seen_often() -> None:
    usual = [100, 100, 100, 100, 100, 0, 0]
    history = {day: usual[day.weekday()] for day in days(MONDAY - timedelta(days=28), 28)}
    found = outlook(history, MONDAY, WHOLE, MONDAY + timedelta(days=6))
    # Four of each weekday, drawn towards the mean as if by a fifth: workdays lose what weekends gain.
    assert found.expected == 500
    assert found.low < found.expected < found.high


def test_a_weekend_is_expected_to_bring_less_than_workdays() -> None:
    history = {day: 100 if day.weekday() < 5 else 0 for day in days(MONDAY - timedelta(days=28), 28)}
    saturday = MONDAY - timedelta(days=2)
    history = {day: used for day, used in history.items() if day < saturday}
    weekend = outlook(history, saturday, WHOLE, saturday + timedelta(days=1)).expected
    workdays = outlook(history, MONDAY - timedelta(days=7), WHOLE, MONDAY - timedelta(days=6)).expected
    assert weekend * 3 < workdays


def test_without_history_nothing_is_expected() -> None:
    found = outlook({}, MONDAY, WHOLE, MONDAY + timedelta(days=20))
    assert (found.low, found.expected, found.high) == (0, 0, 0)
    assert days_of_history({}, MONDAY) == 0


def test_a_few_days_of_history_give_an_interval_as_wide_as_what_is_expected() -> None:
    found = outlook({MONDAY - timedelta(days=1): 10}, MONDAY, WHOLE, MONDAY)
    assert (found.low, found.high) == (0, 2 * found.expected)


def test_what_is_left_of_today_counts_for_its_part() -> None:
    history = dict.fromkeys(days(MONDAY - timedelta(days=14), 14), 70)
    assert outlook(history, MONDAY, Fraction(1, 4), MONDAY).expected == Fraction(70, 4)


def test_a_period_that_is_over_brings_nothing_more() -> None:
    assert outlook({MONDAY: 5}, MONDAY + timedelta(days=3), WHOLE, MONDAY).expected == 0


def used_on(day: date, chance: random.Random) -> int:
    """A team's meetings: full workdays, few on Friday, none at weekends, more from month to month, and luck."""
    level = [100, 120, 110, 120, 60, 4, 2][day.weekday()]
    grown = 1 + (day - MONDAY).days / 600
    return round(max(0.0, chance.gauss(level * grown, level * 0.25)))


def test_backtest_months_are_forecast_well_and_the_interval_holds_about_as_often_as_it_says() -> None:
    errors: list[float] = []
    held = tried = 0
    for seed in range(20):
        chance = random.Random(seed)
        past = {day: used_on(day, chance) for day in days(MONDAY, 7 * 40)}
        for start in range(60, 240, 13):
            today = MONDAY + timedelta(days=start)
            last_day = today + timedelta(days=6 + start % 15)
            found = outlook({d: n for d, n in past.items() if d < today}, today, WHOLE, last_day)
            truth = sum(past[day] for day in days(today, (last_day - today).days + 1))
            errors.append(abs(float(found.expected) - truth) / truth)
            held += found.low <= truth <= found.high
            tried += 1
    assert sum(errors) / len(errors) < 0.12
    assert 0.70 < held / tried < 0.95, held / tried


def test_backtest_weekdays_are_worth_having() -> None:
    """The same months at a flat daily rate are forecast worse."""
    with_weekdays: list[float] = []
    flat: list[float] = []
    for seed in range(20):
        chance = random.Random(seed)
        past = {day: used_on(day, chance) for day in days(MONDAY, 7 * 20)}
        for start in range(40, 120, 3):
            today = MONDAY + timedelta(days=start)
            last_day = today + timedelta(days=start % 5)
            history = {d: n for d, n in past.items() if d < today}
            count = (last_day - today).days + 1
            truth = sum(past[day] for day in days(today, count))
            recent = [history[day] for day in days(today - timedelta(days=28), 28)]
            flat.append(abs(sum(recent) / 28 * count - truth))
            with_weekdays.append(abs(float(outlook(history, today, WHOLE, last_day).expected) - truth))
    assert sum(with_weekdays) < sum(flat) / 2
