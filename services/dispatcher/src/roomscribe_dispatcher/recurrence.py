"""When the meetings of a series are: an RFC 5545 rule on the clock of a time zone. Pure.

Rules repeat by whole days, so each occurrence is at the local time of the first. A local time that does not exist on
the day clocks go forward is taken with the offset before the change, one that exists twice is the first (RFC 5545,
3.3.5): that is what `zoneinfo` does with `fold=0`.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from dateutil.rrule import rrule, rrulestr
from roomscribe_common.contracts.series import SeriesSpec

_FREQUENCIES: Final = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
_PARTS: Final = ("FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST")
_MOST: Final = {"INTERVAL": 366, "COUNT": 1000}
_MOST_OF_A_DAY: Final = 5
"""No month has more of any weekday."""
_UNTIL: Final = re.compile(r"\d{8}T\d{6}Z")
_DAYS_LOOKED_AT: Final = 10_000
"""27 years: longer than any series goes on, and done in a tenth of a second at most."""


class BadRecurrence(ValueError):
    """A rule or zone that cannot be used. `field` is the one to mend, `str()` says why."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class _Months(tuple[int, ...]):
    """The months of a rule. dateutil holds every day it looks at against them, and would look for a day that never
    comes (30 February) until the year 9999: so they count the days.
    """

    looked_at = 0

    def __contains__(self, month: object) -> bool:
        self.looked_at += 1
        if self.looked_at > _DAYS_LOOKED_AT:
            raise BadRecurrence("recurrence", "has no occurrence, or none for decades")
        return super().__contains__(month)


def occurrences(spec: SeriesSpec, after: datetime) -> Iterator[datetime]:
    """The moments after that one, in order. Raises `BadRecurrence`."""
    try:
        for local in _rule(spec):
            moment = local.astimezone(UTC)
            if moment > after:
                yield moment
    except BadRecurrence:
        raise
    except (IndexError, ValueError, OverflowError) as error:
        raise BadRecurrence("recurrence", f"cannot be followed: {error}"[:200]) from error


def zone(name: str) -> ZoneInfo:
    """The time zone of that IANA name. Raises `BadRecurrence`."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadRecurrence("time_zone", "is not a time zone; give its IANA name, such as Europe/Vienna") from error


def _rule(spec: SeriesSpec) -> rrule:
    text = spec.recurrence.removeprefix("RRULE:").upper()
    _check(text)
    try:
        rule = rrulestr(text, dtstart=spec.join_at.astimezone(zone(spec.time_zone)))
    except BadRecurrence:
        raise
    except (ValueError, TypeError, KeyError, IndexError, AttributeError) as error:
        raise BadRecurrence("recurrence", f"is not an RFC 5545 rule: {error}"[:200]) from error
    if not isinstance(rule, rrule):
        raise BadRecurrence("recurrence", "must be one rule")
    own = vars(rule)
    own["_bymonth"] = _Months(own["_bymonth"] or range(1, 13))
    return rule


def _check(text: str) -> None:
    """What the library would take, and must not: rules of many rules, of every second, of a step of nothing."""
    given = [part.partition("=") for part in text.split(";")]
    parts = {name: value for name, _, value in given}
    if len(parts) != len(given):
        raise BadRecurrence("recurrence", "a part occurs twice")
    unknown = [name for name in parts if name not in _PARTS]
    if unknown:
        raise BadRecurrence("recurrence", f"unknown part {unknown[0][:40]!r}: a rule may have {', '.join(_PARTS)}")
    if parts.get("FREQ") not in _FREQUENCIES:
        raise BadRecurrence("recurrence", f"FREQ must be one of {', '.join(_FREQUENCIES)}")
    for name, most in _MOST.items():
        value = parts.get(name, "1")
        if not (value.isascii() and value.isdecimal() and 1 <= int(value[:9]) <= most and len(value) < 9):
            raise BadRecurrence("recurrence", f"{name} must be a number from 1 to {most}")
    if "UNTIL" in parts and not _UNTIL.fullmatch(parts["UNTIL"]):
        raise BadRecurrence("recurrence", "UNTIL must be in UTC, such as 20271231T230000Z")
    if "UNTIL" in parts and "COUNT" in parts:
        raise BadRecurrence("recurrence", "has COUNT and UNTIL; only one of them may be given")
    _check_numbered_days(parts)


def _check_numbered_days(parts: dict[str, str]) -> None:
    """The library holds the numbers to be of a month's days, as each rule here has months; beyond, it fails."""
    numbers = re.findall(r"\d+", parts.get("BYDAY", ""))
    if numbers and parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts:
        raise BadRecurrence("recurrence", "a numbered BYDAY in a YEARLY rule needs BYMONTH")
    if any(int(number[:9]) > _MOST_OF_A_DAY for number in numbers):
        raise BadRecurrence("recurrence", f"BYDAY has a number above {_MOST_OF_A_DAY}: no occurrence in any month")
