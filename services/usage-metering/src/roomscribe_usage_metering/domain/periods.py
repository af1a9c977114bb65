"""Billing periods in a tenant's time zone: half-open, named after the month they begin in. No other use of zoneinfo."""

import re
from bisect import bisect_left
from calendar import monthrange
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from itertools import groupby
from zoneinfo import ZoneInfo

from roomscribe_common.errors import FieldError, ProblemError

from roomscribe_usage_metering.domain.lines import epoch_ms, instant

_NAME = re.compile(r"([0-9]{4})-(0[1-9]|1[0-2])")
_FIRST_YEAR, _LAST_YEAR = 1970, 9998

PAGE = 100
"""Meetings of a period in one answer: a room's name may have kilobytes as JSON, and one message holds a megabyte."""


@dataclass(frozen=True, slots=True)
class Period:
    """`[start_ms, end_ms)`."""

    name: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a period in which one price holds, `book@version`."""

    period: str
    start_ms: int
    end_ms: int
    price: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """Periods that begin on a day of the month, at local midnight; on the month's last day where it has no such day."""

    time_zone: str = "UTC"
    anchor_day: int = 1

    def holding(self, ms: int) -> Period:
        """The period the instant is in."""
        local = instant(ms).astimezone(_zone(self.time_zone))
        period = self._of(local.year, local.month)
        return period if period.start_ms <= ms else self.before(period.name)

    def named(self, name: str) -> Period:
        """The period of that name. Raises `ProblemError` (422) for what is no month."""
        return self._of(*_month(checked(name)))

    def following(self, name: str) -> Period:
        """The period after the one of that name."""
        return self._of(*_month(name, 1))

    def before(self, name: str) -> Period:
        """The period before the one of that name."""
        return self._of(*_month(name, -1))

    def day(self, ms: int) -> date:
        """The local day of an instant."""
        return instant(ms).astimezone(_zone(self.time_zone)).date()

    def midnight(self, day: date) -> int:
        """The instant a local day begins. A skipped midnight is the moment the clock leaps over it."""
        return _midnight(self.time_zone, day)

    def _of(self, year: int, month: int) -> Period:
        name = f"{year:04}-{month:02}"
        return Period(name, self._begin(year, month), self._begin(*_month(name, 1)))

    def _begin(self, year: int, month: int) -> int:
        return self.midnight(date(year, month, min(self.anchor_day, monthrange(year, month)[1])))


UTC_MONTHS = Calendar()


@dataclass(frozen=True, slots=True)
class Fixed:
    """A closed period: its bounds, and from which instant which price held. Neither ever changes."""

    period: Period
    prices: tuple[tuple[int, str], ...]


class Timeline:
    """A tenant's periods: those that are closed as they were closed, and all others as its calendar has them.

    `price_on` gives `book@version` for a local day. After a change of calendar the first open period reaches from the
    last closed one to the end of the first new name after it, and the last one before the first closed up to that: no
    instant is in two periods, or in none.
    """

    def __init__(self, calendar: Calendar, price_on: Callable[[date], str], closed: Sequence[Fixed] = ()) -> None:
        self.calendar = calendar
        self.closed = tuple(sorted(closed, key=lambda one: one.period.start_ms))
        self._price_on = price_on
        self._by_name = {one.period.name: one for one in self.closed}
        self._spans: dict[str, tuple[Span, ...]] = {}

    @property
    def first_open(self) -> Period | None:
        """The period after the last closed one; None before any was closed."""
        if not self.closed:
            return None
        last = self.closed[-1].period
        held = self.calendar.holding(last.end_ms)
        while held.name <= last.name:
            held = self.calendar.following(held.name)
        return Period(held.name, last.end_ms, held.end_ms)

    def is_closed(self, name: str) -> bool:
        """Whether nothing can be booked in it any more: it was closed, or a later one was."""
        return bool(self.closed) and name <= self.closed[-1].period.name

    def named(self, name: str) -> Period:
        """The period of that name. Raises `ProblemError` (422) for what is no month."""
        if name in self._by_name:
            return self._by_name[name].period
        period, first_open = self.calendar.named(name), self.first_open
        if first_open is None or name > first_open.name or self.closed[0].period.name < name < first_open.name:
            return period
        return first_open if name == first_open.name else self._before_closed(period)

    def holding(self, ms: int) -> Period:
        """The period the instant is in."""
        first_open = self.first_open
        if first_open is None or ms >= first_open.end_ms:
            return self.calendar.holding(ms)
        if ms >= first_open.start_ms:
            return first_open
        after = first_open
        for fixed in reversed(self.closed):
            if ms >= fixed.period.end_ms:
                # Whose close somebody took out of the database. It is no less over for that.
                return Period(self.calendar.following(fixed.period.name).name, fixed.period.end_ms, after.start_ms)
            if fixed.period.start_ms <= ms:
                return fixed.period
            after = fixed.period
        return self._before_closed(self.calendar.holding(ms))

    def _before_closed(self, period: Period) -> Period:
        first = self.closed[0].period
        last = self.calendar.before(first.name)
        return period if period.name < last.name else Period(last.name, last.start_ms, first.start_ms)

    def spans(self, start_ms: int, end_ms: int) -> Iterator[Span]:
        """The spans that touch `[start_ms, end_ms)`, whole and in order; the one that holds `start_ms` at least."""
        at_ms = start_ms
        while True:
            period = self.holding(at_ms)
            for span in self.spans_of(period):
                if span.end_ms > start_ms and (span.start_ms < end_ms or span.start_ms <= start_ms):
                    yield span
            if period.end_ms >= end_ms:
                return
            at_ms = period.end_ms

    def spans_of(self, period: Period) -> tuple[Span, ...]:
        """A period cut where the price changes."""
        if period.name not in self._spans:
            self._spans[period.name] = tuple(self._cut(period))
        return self._spans[period.name]

    def _cut(self, period: Period) -> Iterator[Span]:
        fixed = self._by_name.get(period.name)
        starts = list(fixed.prices) if fixed else list(self._changes(period))
        for (start_ms, price), after in zip(starts, [*starts[1:], (period.end_ms, "")], strict=True):
            yield Span(period.name, start_ms, after[0], price)

    def _changes(self, period: Period) -> Iterator[tuple[int, str]]:
        days = range(
            self.calendar.day(period.start_ms).toordinal(), self.calendar.day(period.end_ms - 1).toordinal() + 1
        )
        for price, same in groupby(map(date.fromordinal, days), self._price_on):
            yield max(period.start_ms, self.calendar.midnight(next(same))), price


def checked(name: str) -> str:
    """The name itself. Raises `ProblemError` (422) unless it is a month such as `2026-11`."""
    found = _NAME.fullmatch(name)
    if found is None or not _FIRST_YEAR <= int(found[1]) <= _LAST_YEAR:
        detail = f"period {name[:40]!r} is not a calendar month such as 2026-11"
        raise ProblemError.of("bad-period", 422, "Bad period", detail, [FieldError(field="period", detail=detail)])
    return name


def first_after(cursor: str | None, meetings: list[str]) -> int:
    """Where the page behind that meeting begins; `meetings` are sorted. Raises `ProblemError` if it is none of them."""
    if cursor is None:
        return 0
    found = bisect_left(meetings, cursor)
    if meetings[found : found + 1] != [cursor]:
        detail = f"no meeting {cursor} is in that period"
        raise ProblemError.of("bad-cursor", 422, "Bad cursor", detail, [FieldError(field="cursor", detail=detail)])
    return found + 1


def _month(name: str, by: int = 0) -> tuple[int, int]:
    year, month = int(name[:4]), int(name[5:]) - 1 + by
    return year + month // 12, month % 12 + 1


@lru_cache(maxsize=64)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def _midnight(time_zone: str, day: date) -> int:
    # Of a midnight that comes twice the first one counts; one that is skipped has the offset from before the leap.
    local = datetime(day.year, day.month, day.day, tzinfo=_zone(time_zone))
    return epoch_ms(local.astimezone(UTC))
