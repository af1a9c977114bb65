"""What the rest of a period will add: each remaining day at its weekday's usual rate, with an 80 % interval. Pure.

A weekday's rate is its mean over the last four weeks, drawn towards the mean of all days as if one more such day had
been seen: with little history all days are alike. The interval is that of a sum of days which differ from the rate as
the past ones did, and of the rate itself, which is known from so many days only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction
from math import isqrt

HISTORY_DAYS = 28
_Z80 = Fraction("1.2816")
"""A normal deviate is within this of its mean four times in five."""
_ZERO = Fraction(0)


@dataclass(frozen=True, slots=True)
class Outlook:
    """How much will be added, and the least and the most of it with 80 %."""

    expected: Fraction
    low: Fraction
    high: Fraction


def outlook(history: Mapping[date, int], today: date, left_of_today: Fraction, last_day: date) -> Outlook:
    """What a meter will add from now to the end of `last_day`.

    `history`: what it used on each day before today; days that are missing used nothing, from the first one on.
    """
    used = _used(history, today)
    days = [today + timedelta(days=n) for n in range((last_day - today).days + 1)]
    weights = [left_of_today, *([Fraction(1)] * (len(days) - 1))] if days else []
    rates = _rates(used)
    expected = sum((weight * rates[day.weekday()] for day, weight in zip(days, weights, strict=True)), _ZERO)
    within = _within(used, rates, sum(weights, _ZERO), expected)
    return Outlook(expected, max(_ZERO, expected - within), expected + within)


def days_of_history(history: Mapping[date, int], today: date) -> int:
    """How many days the rates rest on."""
    return len(_used(history, today))


def _used(history: Mapping[date, int], today: date) -> list[tuple[date, int]]:
    first = max(min(history, default=today), today - timedelta(days=HISTORY_DAYS))
    days = [first + timedelta(days=n) for n in range((today - first).days)]
    return [(day, history.get(day, 0)) for day in days]


def _rates(used: Sequence[tuple[date, int]]) -> list[Fraction]:
    if not used:
        return [_ZERO] * 7
    mean = Fraction(sum(amount for _, amount in used), len(used))
    of_weekday = [[amount for day, amount in used if day.weekday() == weekday] for weekday in range(7)]
    return [max(_ZERO, (sum(amounts) + mean) / (len(amounts) + 1)) for amounts in of_weekday]


def _within(
    used: Sequence[tuple[date, int]], rates: Sequence[Fraction], days: Fraction, expected: Fraction
) -> Fraction:
    """How far off it may be. With less than a week of history: as much as is expected."""
    if len(used) < 7:
        return expected
    spent = min(6, len(used) // 2)  # days that the rates themselves have used up
    off = [amount - rates[day.weekday()] for day, amount in used]
    squares = sum((one * one for one in off), _ZERO)
    variance = squares / (len(used) - spent)
    return _Z80 * _root(variance * (days + days * days / len(used)))


def _root(value: Fraction) -> Fraction:
    """The square root, cut to nine places."""
    scale = 10**9
    return Fraction(isqrt(int(value * scale * scale)), scale)
