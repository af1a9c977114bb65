"""An entry as receivers are told of it: dated in the period it is paid in, for they bill by time."""

import pytest
from roomscribe_usage_metering.domain.entry import Stored
from roomscribe_usage_metering.domain.periods import UTC_MONTHS
from roomscribe_usage_metering.exports.usage import rfc3339, usage_of

from .ledger import entry

DAY_MS = 86_400_000
NOVEMBER_MS = UTC_MONTHS.named("2026-11").start_ms


def bounds_ms(_: str, name: str) -> tuple[int, int]:
    period = UTC_MONTHS.named(name)
    return period.start_ms, period.end_ms


@pytest.mark.parametrize(
    ("booked_ms", "told"),
    [
        (NOVEMBER_MS + 5 * DAY_MS + 1, "2026-11-06T00:00:00.001Z"),
        (NOVEMBER_MS + 31 * DAY_MS, "2026-11-30T23:59:59.000Z"),
        (NOVEMBER_MS - DAY_MS, "2026-11-01T00:00:00.000Z"),
    ],
)
def test_what_is_booked_outside_its_period_is_dated_inside_it(booked_ms: int, told: str) -> None:
    found = usage_of(Stored(1, entry(1, 3), booked_ms), bounds_ms)
    assert rfc3339(found.at_ms) == told


def test_a_correction_names_what_it_corrects() -> None:
    first = entry(1, 3)
    late = type(first)(first.slot, 2, "2026-12", -1, -60_000, "anna", "measured", "left")
    found = dict(usage_of(Stored(2, late, NOVEMBER_MS), bounds_ms).details)
    assert (found["corrects"], found["of_period"], found["period"]) == (first.key, "2026-11", "2026-12")
